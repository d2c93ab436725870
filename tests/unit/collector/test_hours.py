"""A span's sketch is that of its values, however they were taken and whenever they were sketched."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.collector.event import MOST_FEATURES
from trimtab.collector.hours import HOUR_US, SKETCHED_AT, SKETCHED_FROM, Hours
from trimtab.sketch import Grid, add, empty

GRIDS = {"x": Grid("x", "number", scale=1.0, bits=16), "c": Grid("c", "category")}
CELLS = st.one_of(st.none(), st.floats(-5, 5, allow_nan=False).map(lambda value: round(value, 3)))


def expected(rows):
    numbers = np.array([x for x, _ in rows], np.float64)
    texts = np.array([c for _, c in rows], object)
    return [add(empty(GRIDS["x"]), numbers), add(empty(GRIDS["c"]), texts)]


def sketches(hours, start_hour=0, end_hour=99):
    return list(hours.sketches(start_hour * HOUR_US, end_hour * HOUR_US))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, st.sampled_from(["UA", "AA", "06", "", None])), max_size=80),
    size=st.integers(1, 7),
    repeats=st.sampled_from([1, 30]),
    learned=st.integers(0, 90),
)
def test_the_sketch_of_a_span_is_that_of_its_rows(rows, size, repeats, learned):
    hours = Hours()
    taken = []
    for number, start in enumerate(range(0, len(rows), size)):
        if number == learned:
            hours.learn(GRIDS)
        part = rows[start : start + size] * repeats
        columns = {"x": [x for x, _ in part], "c": [c for _, c in part]}
        hours.add((number % 3) * HOUR_US + number, len(part), columns)
        taken += part
        if number % 5 == 4 and hours.grids:
            sketches(hours)
    hours.learn(GRIDS)
    assert sketches(hours) == expected(taken)


def test_only_hours_that_begin_in_the_span_count():
    hours = Hours()
    hours.learn(GRIDS)
    for hour in range(4):
        hours.add(hour * HOUR_US + 17, 1, {"x": [float(hour)], "c": ["UA"]})
    assert [sketch.rows for sketch in sketches(hours, 1, 3)] == [2, 2]
    assert [sketch.rows for sketch in hours.sketches(1, 2 * HOUR_US)] == [1, 1]


def test_a_text_in_a_column_of_numbers_is_missing_there():
    hours = Hours()
    hours.learn(GRIDS)
    hours.add(0, 3, {"x": [1.0, "many", "2.5"], "c": [1.0, "UA", None]})
    number, category = sketches(hours)
    assert (number.rows, number.missing) == (3, 1)
    assert category.counts == {"1.0": 1, "UA": 1}


def test_timestamps_are_read_from_texts_and_microseconds():
    grid = Grid("t", "timestamp", centre=1.364e15, scale=1e12, bits=16)
    hours = Hours()
    hours.learn({"t": grid})
    texts = ["2013-04-01T10:00:00Z", "2013-04-01T12:00:00+02:00", "2013-04-01T10:00:00", "soon", None]
    hours.add(0, 6, {"t": [*texts, 1_364_810_400_000_000.0]})
    (sketch,) = sketches(hours)
    assert (sketch.rows, sketch.missing) == (6, 2)
    assert sketch.counts.tolist() == [4]


def test_values_give_way_to_sketches_in_a_full_hour():
    hours = Hours()
    hours.learn(GRIDS)
    for _ in range(3):
        hours.add(0, SKETCHED_AT, {"x": [1.0] * SKETCHED_AT, "other": [1.0] * SKETCHED_AT})
    hours.add(HOUR_US, SKETCHED_FROM, {"x": [1.0] * SKETCHED_FROM})
    hours.add(2 * HOUR_US, 1, {"x": [1.0]})
    for hour in list(hours._hours.values())[:2]:
        assert not hour.fresh
        assert not hour.packed
    assert sketches(hours)[0].rows == 3 * SKETCHED_AT + SKETCHED_FROM + 1


def test_features_beyond_the_most_are_counted_and_left_out():
    hours = Hours()
    for start in range(0, MOST_FEATURES + 10, 10):
        hours.add(0, 1, {f"f{number}": [1.0] for number in range(start, start + 10)})
    assert hours.refused_features == 10


def test_rows_without_a_profile_are_held_up_to_a_bound(monkeypatch):
    monkeypatch.setattr("trimtab.collector.hours.MOST_RAW_CELLS", 100)
    hours = Hours()
    for number in range(60):
        hours.add(number, 1, {"x": [1.0], "c": ["UA"]})
    hours.learn(GRIDS)
    assert [sketch.rows for sketch in sketches(hours)] == [50, 50]
    assert hours.unsketched_rows == 10
