"""The packed store behaves alike in each of its homes: a real SQLite file, a real server of Redis' protocol."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.adapters.online import online_store
from trimtab.api.errors import DataRefused

pytestmark = pytest.mark.xdist_group("online")

KINDS = {"temp": "number", "word": "string", "at": "timestamp", "open": "boolean"}
T = np.array(["2013-01-01T10:00", "2013-01-01T11:00"], "datetime64[us]")


def weather(store, keys, hours, temps):
    times = np.datetime64("2013-01-01", "us") + np.array(hours) * np.timedelta64(1, "h")
    return store.write("weather", {"temp": "number"}, keys, times, {"temp": np.array(temps)})


def temperatures(store, *keys):
    (found,) = store.read([("weather", keys)])
    return found.columns["temp"].tolist()


def test_what_is_written_is_read_and_null_or_unknown_keys_find_nothing(store):
    columns = {
        "temp": np.array([1.5, np.nan]),
        "word": np.array(["é", ""], object),
        "at": np.array([T[0], np.datetime64("NaT")]),
        "open": np.array([1.0, 0.0]),
    }
    assert store.write("v", KINDS, ["a", "b"], T, columns) == 2
    (found,) = store.read([("v", ["b", None, "a", "zz", "a"])])
    np.testing.assert_array_equal(found.times, [T[1], np.datetime64("NaT"), T[0], np.datetime64("NaT"), T[0]])
    np.testing.assert_array_equal(found.columns["temp"], [np.nan, np.nan, 1.5, np.nan, 1.5])
    assert found.columns["word"].tolist() == ["", "", "é", "", "é"]
    assert found.columns["at"][2] == T[0]
    assert np.isnat(found.columns["at"][[0, 1, 3]]).all()


def test_several_views_are_read_in_order(store):
    weather(store, ["JFK"], [1], [1.0])
    store.write("planes", {"year": "number"}, ["N1", "JFK"], None, {"year": np.array([1999.0, 5.0])})
    planes, found, nobody = store.read([("planes", ["N1"]), ("weather", ["LGA", "JFK"]), ("nobody", [None])])
    assert planes.columns["year"].tolist() == [1999.0]
    assert planes.times.tolist() == [np.datetime64(0, "us").astype(object)]
    np.testing.assert_array_equal(found.columns["temp"], [np.nan, 1.0])
    assert np.isnat(nobody.times).all()


def test_the_newest_row_of_a_key_stands_whatever_the_order(store):
    weather(store, ["JFK", "JFK", None, "LGA"], [3, 1, 9, 2], [3.0, 1.0, 9.0, 2.0])
    assert weather(store, ["JFK", "LGA"], [2, 5], [20.0, 50.0]) == 1
    assert temperatures(store, "JFK", "LGA") == [3.0, 50.0]


def test_a_microsecond_is_enough_to_be_newer_however_far_from_now(store):
    for year in (1066, 1969, 2013, 9999):
        at = np.datetime64(f"{year}-12-31T23:59:59.999999", "us")
        times = [at, at - np.timedelta64(1, "us"), at + np.timedelta64(1, "us")]
        taken = [
            store.write("v", {"x": "number"}, [str(year)], np.array([time]), {"x": np.array([float(i)])})
            for i, time in enumerate(times)
        ]
        assert taken == [1, 0, 1]
        (found,) = store.read([("v", [str(year)])])
        assert found.columns["x"].tolist() == [2.0]
        assert found.times[0] == times[2]


def test_of_two_rows_of_one_time_the_later_in_the_batch_stands(store):
    weather(store, ["JFK", "JFK"], [3, 3], [1.0, 2.0])
    weather(store, ["JFK", "JFK"], [3, 3], [1.0, 2.0])
    assert temperatures(store, "JFK") == [2.0]


def test_a_row_without_a_time_is_left_out(store):
    times = np.array(["NaT", "2013-01-01"], "datetime64[us]")
    assert store.write("weather", {"temp": "number"}, ["a", "b"], times, {"temp": np.array([1.0, 2.0])}) == 1
    np.testing.assert_array_equal(temperatures(store, "a", "b"), [np.nan, 2.0])


def test_keys_may_be_any_text(store):
    keys = ["", "a:b", "a\x1fb", "é", "{x}", "*", "line\nbreak", "nul\x00l"]
    weather(store, keys, [1] * len(keys), [float(i) for i in range(len(keys))])
    assert temperatures(store, *keys) == list(range(len(keys)))


def test_rows_of_an_older_layout_stay_readable(opens):
    store, reader = opens(), opens()
    weather(store, ["JFK"], [1], [1.0])
    assert temperatures(reader, "JFK") == [1.0]
    more = {"temp": np.array([2.0]), "wind": np.array([9.0])}
    store.write("weather", {"temp": "number", "wind": "number"}, ["LGA"], T[:1], more)
    for asked in (store, reader, opens()):
        (found,) = asked.read([("weather", ["JFK", "LGA"])])
        np.testing.assert_array_equal(found.columns["wind"], [np.nan, 9.0])


def test_a_column_that_becomes_another_kind_is_refused(opens):
    weather(opens(), ["JFK"], [1], [1.0])
    with pytest.raises(DataRefused, match="column 'temp' of weather as number, and is sent string"):
        opens().write("weather", {"temp": "string"}, ["JFK"], T[:1], {"temp": np.array(["cold"], object)})
    assert temperatures(opens(), "JFK") == [1.0]


def test_a_view_that_was_never_written_finds_nothing(store):
    (found,) = store.read([("nobody", ["a"])])
    assert np.isnat(found.times).all()


def test_a_write_is_seen_at_the_next_read_of_everybody(opens):
    writer, reader = opens(), opens()
    assert np.isnat(reader.read([("weather", ["JFK", None])])[0].times).all()
    weather(writer, ["EWR"], [1], [70.0])
    for hour in range(2, 6):
        weather(writer, ["JFK"], [hour], [float(hour)])
        assert temperatures(reader, "JFK", "EWR", "JFK") == [hour, 70.0, hour]
        assert temperatures(writer, "JFK") == [hour]


def test_a_reader_sees_what_another_process_writes(store, home):
    assert np.isnat(store.read([("weather", ["JFK"])])[0].times[0])
    child = multiprocessing.get_context("spawn").Process(target=_write, args=(home,))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    assert temperatures(store, "JFK") == [7.0]


def _write(home):
    weather(online_store(home, "shop"), ["JFK"], [1], [7.0])


def test_a_failed_batch_leaves_nothing(store):
    with pytest.raises(KeyError):
        store.write("weather", {"temp": "number"}, ["JFK"], None, {})
    assert np.isnat(store.read([("weather", ["JFK"])])[0].times).all()
    assert weather(store, ["JFK"], [1], [1.0]) == 1


def test_a_batch_of_any_size_is_taken(store):
    keys = [f"k{i}" for i in range(25_001)]
    assert weather(store, keys, [1] * len(keys), np.arange(25_001.0)) == 25_001
    assert temperatures(store, "k0", "k10000", "k25000") == [0.0, 10_000.0, 25_000.0]


batches = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(-3, 3), st.floats(-9, 9)), max_size=5
    ),
    max_size=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches)
def test_what_stands_is_each_keys_latest_row(store, written):
    view = f"v{np.random.default_rng().integers(2**62)}"
    latest = {}
    for batch in written:
        for key, hour, value in batch:
            if key is not None and (key not in latest or hour >= latest[key][0]):
                latest[key] = (hour, value)
        times = np.array([hour for _, hour, _ in batch], "datetime64[h]").astype("datetime64[us]")
        columns = {"x": np.array([value for _, _, value in batch], np.float64)}
        store.write(view, {"x": "number"}, [key for key, _, _ in batch], times, columns)
    (found,) = store.read([(view, ["a", "b", "c"])])
    expected = [latest.get(key, (None, np.nan))[1] for key in "abc"]
    np.testing.assert_array_equal(found.columns.get("x", np.full(3, np.nan)), expected)
