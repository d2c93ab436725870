"""The packed store, against a real SQLite file."""

import multiprocessing
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.online import SqliteOnlineStore
from trimtab.adapters.online.packing import Layout, layout_id, pack, unpacker
from trimtab.api.errors import SurroundingsFailed

KINDS = {"temp": "number", "word": "string", "at": "timestamp", "open": "boolean"}
T = np.array(["2013-01-01T10:00", "2013-01-01T11:00"], "datetime64[us]")


@pytest.fixture
def store(tmp_path: Path) -> SqliteOnlineStore:
    return SqliteOnlineStore(tmp_path / "folder" / "online.db")


def weather(store: SqliteOnlineStore, keys: list[str | None], hours: list[int], temps: list[float]) -> int:
    times = np.datetime64("2013-01-01", "us") + np.array(hours) * np.timedelta64(1, "h")
    return store.write("weather", {"temp": "number"}, keys, times, {"temp": np.array(temps)})


@settings(max_examples=50)
@given(
    st.floats(allow_nan=True),
    st.text(),
    st.integers(-(2**62), 2**62),
    st.sampled_from([0.0, 1.0, np.nan]),
)
def test_a_row_is_what_was_packed(temp: float, word: str, micros: int, open_: float) -> None:
    layout = Layout.of(KINDS)  # type: ignore[arg-type]
    columns = {
        "temp": np.array([temp]),
        "word": np.array([word.encode("utf-8", "ignore").decode()], object),
        "at": np.array([micros], np.int64).view("datetime64[us]"),
        "open": np.array([open_]),
    }
    (row,) = pack(layout, 7, columns, np.array([0]))
    assert layout_id(row) == 7
    at, opened, read, text = unpacker(layout)(row)
    assert at == micros
    np.testing.assert_array_equal([opened, read], [open_, temp])
    assert text == columns["word"][0]


def test_what_is_written_is_read_and_null_or_unknown_keys_find_nothing(store: SqliteOnlineStore) -> None:
    columns = {
        "temp": np.array([1.5, np.nan]),
        "word": np.array(["é", ""], object),
        "at": np.array([T[0], np.datetime64("NaT")]),
        "open": np.array([1.0, 0.0]),
    }
    assert store.write("v", KINDS, ["a", "b"], T, columns) == 2  # type: ignore[arg-type]
    (found,) = store.read([("v", ["b", None, "a", "zz", "a"])])
    np.testing.assert_array_equal(found.times, [T[1], np.datetime64("NaT"), T[0], np.datetime64("NaT"), T[0]])
    np.testing.assert_array_equal(found.columns["temp"], [np.nan, np.nan, 1.5, np.nan, 1.5])
    assert found.columns["word"].tolist() == ["", "", "é", "", "é"]
    assert found.columns["at"][2] == T[0]
    assert np.isnat(found.columns["at"][[0, 1, 3]]).all()


def test_the_newest_row_of_a_key_stands_whatever_the_order(store: SqliteOnlineStore) -> None:
    weather(store, ["JFK", "JFK", None, "LGA"], [3, 1, 9, 2], [3.0, 1.0, 9.0, 2.0])
    assert weather(store, ["JFK", "LGA"], [2, 5], [20.0, 50.0]) == 1
    (found,) = store.read([("weather", ["JFK", "LGA"])])
    assert found.columns["temp"].tolist() == [3.0, 50.0]


def test_of_two_rows_of_one_time_the_later_in_the_batch_stands(store: SqliteOnlineStore) -> None:
    weather(store, ["JFK", "JFK"], [3, 3], [1.0, 2.0])
    weather(store, ["JFK", "JFK"], [3, 3], [1.0, 2.0])
    (found,) = store.read([("weather", ["JFK"])])
    assert found.columns["temp"].tolist() == [2.0]


def test_rows_of_an_older_layout_stay_readable(store: SqliteOnlineStore) -> None:
    weather(store, ["JFK"], [1], [1.0])
    more = {"temp": np.array([2.0]), "wind": np.array([9.0])}
    store.write("weather", {"temp": "number", "wind": "number"}, ["LGA"], T[:1], more)
    (found,) = store.read([("weather", ["JFK", "LGA"])])
    np.testing.assert_array_equal(found.columns["wind"], [np.nan, 9.0])


def test_a_view_that_was_never_written_finds_nothing(store: SqliteOnlineStore) -> None:
    (found,) = store.read([("nobody", ["a"])])
    assert np.isnat(found.times).all()


def test_a_reader_sees_what_another_process_writes(store: SqliteOnlineStore, tmp_path: Path) -> None:
    assert np.isnat(store.read([("weather", ["JFK"])])[0].times[0])
    child = multiprocessing.get_context("spawn").Process(
        target=_write, args=(tmp_path / "folder" / "online.db",)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert store.read([("weather", ["JFK"])])[0].columns["temp"].tolist() == [7.0]


def _write(path: Path) -> None:
    weather(SqliteOnlineStore(path), ["JFK"], [1], [7.0])


def test_a_failed_batch_leaves_nothing(store: SqliteOnlineStore) -> None:
    with pytest.raises(KeyError):
        store.write("weather", {"temp": "number"}, ["JFK"], None, {})
    assert np.isnat(store.read([("weather", ["JFK"])])[0].times).all()
    assert weather(store, ["JFK"], [1], [1.0]) == 1


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_text("not a database, for sure" * 100)
    with pytest.raises(SurroundingsFailed, match=r"online\.db: the online store cannot be used"):
        SqliteOnlineStore(tmp_path / "online.db")


def test_two_stores_hold_the_same_bytes_for_the_same_rows(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        store = SqliteOnlineStore(tmp_path / name)
        if name == "two":
            weather(store, ["EWR"], [0], [0.0])
        columns = {"wind": np.array([2.0]), "temp": np.array([1.0])}
        kinds = (
            {"wind": "number", "temp": "number"} if name == "one" else {"temp": "number", "wind": "number"}
        )
        store.write("wide", kinds, ["JFK"], T[:1], columns)  # type: ignore[arg-type]
        store.close()
        with sqlite3.connect(tmp_path / name) as connection:
            contents.append(connection.execute("select * from latest where view = 'wide'").fetchall())
    assert contents[0] == contents[1]
