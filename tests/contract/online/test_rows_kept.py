"""Rows that the SQLite store keeps in memory are never older than the file."""

import numpy as np
import pytest

from trimtab.adapters.online import SqliteOnlineStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "online.db"


def put(store, key, value, hour):
    times = np.array([f"2013-07-01T{hour:02}"], "datetime64[us]")
    store.write("weather", {"temp": "number"}, [key], times, {"temp": np.array([value])})


def temperature(store, *keys):
    (found,) = store.read([("weather", keys)])
    return found.columns["temp"].tolist()


def test_a_write_by_another_process_is_seen_at_the_next_read(path):
    writer, reader = SqliteOnlineStore(path), SqliteOnlineStore(path)
    put(writer, "EWR", 70.0, 1)
    assert temperature(reader, "EWR") == [70.0]
    for hour in range(2, 6):
        put(writer, "EWR", float(hour), hour)
        assert temperature(reader, "EWR", "EWR") == [hour, hour]
        assert temperature(reader, "EWR") == [hour]


def test_a_key_that_was_unknown_is_found_once_written(path):
    writer, reader = SqliteOnlineStore(path), SqliteOnlineStore(path)
    put(writer, "EWR", 70.0, 1)
    assert np.isnan(temperature(reader, "JFK", None)).all()
    put(writer, "JFK", 60.0, 1)
    assert temperature(reader, "JFK") == [60.0]


def test_a_stores_own_write_is_seen(path):
    store = SqliteOnlineStore(path)
    put(store, "EWR", 70.0, 1)
    assert temperature(store, "EWR") == [70.0]
    put(store, "EWR", 71.0, 2)
    assert temperature(store, "EWR") == [71.0]
