from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sketch import CategorySketch, Encoded, Grid, empty, encode, from_bytes, merge
from trimtab.sketch.grid import CATEGORY_LIMIT

GRID = Grid("city", "category")
VALUES = st.lists(
    st.one_of(st.sampled_from(["a", "b", "ü", "", "\ud800"]), st.none(), st.text(max_size=3)), max_size=40
)


def column(values):
    held = np.empty(len(values), object)
    held[:] = values
    return held


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_sketch_of_parts_is_the_sketch_of_the_whole(parts):
    whole = CategorySketch.empty(GRID).add(column([value for part in parts for value in part]))
    assert merge([CategorySketch.empty(GRID).add(column(part)) for part in parts]) == whole


@given(VALUES)
def test_counts_are_those_of_a_counter(values):
    sketch = CategorySketch.empty(GRID).add(column(values))
    present = [value for value in values if value]
    assert sketch.counts == Counter(present)
    assert sketch.missing == len(values) - len(present)
    assert sketch.exact


@given(VALUES)
def test_codes_count_like_their_values(values):
    assert CategorySketch.empty(GRID).add(encode(column(values))) == CategorySketch.empty(GRID).add(
        column(values)
    )


@given(VALUES)
def test_bytes_give_back_the_sketch(values):
    sketch = CategorySketch.empty(GRID).add(column(values))
    assert from_bytes(sketch.to_bytes(), GRID) == sketch


def test_nan_none_and_nothing_are_missing():
    sketch = empty(GRID).add(column([float("nan"), None, "", "x"]))
    assert (sketch.missing, sketch.counts) == (3, {"x": 1})


@pytest.fixture(scope="module")
def many():
    """30,000 rare values and two heavy ones, in a fixed order."""
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            np.full(40_000, "heavy"),
            np.full(9_000, "less"),
            np.arange(30_000).astype(str),
            np.arange(30_000).astype(str),
        ]
    ).astype(object)
    rng.shuffle(values)
    return values


def test_past_its_limit_a_sketch_keeps_the_heavy_and_states_its_error(many):
    sketch = merge([CategorySketch.empty(GRID).add(part) for part in np.array_split(many, 7)])
    truth = Counter(many.tolist())
    assert not sketch.exact
    assert len(sketch.counts) <= CATEGORY_LIMIT
    assert sketch.shortfall <= len(many) / (CATEGORY_LIMIT + 1)
    assert sketch.rows == len(many)
    for value, times in sketch.counts.items():
        assert truth[value] - sketch.shortfall <= times <= truth[value]
    assert [value for value, _ in sketch.most_common(2)] == ["heavy", "less"]
    assert sketch.distinct == pytest.approx(30_002, rel=0.05)
    assert from_bytes(sketch.to_bytes(), GRID) == sketch


def test_distinct_values_are_estimated_alike_in_any_order(many):
    parts = [CategorySketch.empty(GRID).add(part) for part in np.array_split(many, 5)]
    assert merge(parts).distinct == merge(parts[::-1]).distinct


def test_a_dictionary_may_repeat_a_value():
    assert empty(GRID).add(Encoded(np.array([0, 1, -1]), ["a", "a"])).counts == {"a": 2}
