"""The latency grid places every duration in the bucket that holds it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.collector.latency import BUCKETS, EDGES_MS, RATIO, bucket


@given(st.floats(0, 100_000, allow_nan=False))
def test_a_duration_lies_below_its_edge_and_above_the_one_before(duration_ms):
    place = bucket(duration_ms)
    assert duration_ms <= EDGES_MS[place]
    assert place == 0 or duration_ms > EDGES_MS[place - 1]


@given(st.integers(0, BUCKETS - 1))
def test_an_edge_belongs_to_the_bucket_that_it_closes(place):
    assert bucket(EDGES_MS[place]) == place


def test_edges_grow_by_one_ratio_and_the_last_takes_the_rest():
    assert all(above / below == pytest.approx(RATIO) for below, above in pairwise(EDGES_MS))
    assert bucket(1e12) == BUCKETS - 1
