from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential.quantile import Durations, bounds, least_requests, ratio_bounds

EDGES = [*(1.02**k for k in range(300)), inf]
histograms = st.lists(st.integers(0, 60), min_size=301, max_size=301).map(lambda c: Durations.of(EDGES, c))


@given(histograms, st.sampled_from([0.5, 0.95, 0.99]))
def test_the_quantile_lies_within_its_bounds(durations, q):
    found = bounds(durations, q, 0.05, 0.05)
    if durations.n:
        assert found.lower <= durations.quantile(q) <= found.upper


@given(histograms)
def test_an_arm_is_never_shown_to_differ_from_itself(durations):
    found = ratio_bounds(durations, durations, 0.95, 0.01, 0.05)
    assert found.lower <= 0 <= found.upper


def test_bounds_hold_over_every_look_of_a_sequence():
    rng, missed = np.random.default_rng(3), 0
    truth = float(np.exp(0.5 * 1.6448536269514722 + 1.5))
    for _ in range(200):
        counts = np.zeros(len(EDGES), int)
        for _look in range(20):
            drawn = rng.lognormal(1.5, 0.5, 100)
            counts += np.bincount(np.searchsorted(EDGES, drawn), minlength=len(EDGES))
            found = bounds(Durations.of(EDGES, counts), 0.95, 0.05, 0.05)
            if not found.lower <= truth <= found.upper:
                missed += 1
                break
    assert missed / 200 <= 0.1


def test_a_slow_candidate_is_shown_to_be_slow():
    rng = np.random.default_rng(4)
    arms = [
        Durations.of(EDGES, np.bincount(np.searchsorted(EDGES, rng.lognormal(m, 0.3, 3000)), minlength=301))
        for m in (2.5, 1.5)
    ]
    assert ratio_bounds(*arms, 0.95, 0.01, 0.05).lower > 0.5


def test_too_few_requests_bound_nothing():
    n = least_requests(0.95, 0.01)
    few, enough = (Durations.of([1.0, inf], [k, 0]) for k in (n - 1, n))
    assert bounds(few, 0.95, 0.005, 0.005).upper == inf
    assert bounds(enough, 0.95, 0.005, 0.005).upper == 1.0


def test_no_requests_have_no_quantile():
    empty = Durations.of([1.0, 2.0], [0, 0])
    assert np.isnan(empty.quantile(0.5))
    assert ratio_bounds(empty, empty, 0.95, 0.01, 0.05).upper == inf


def test_edges_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        Durations.of([2.0, 1.0], [1, 1])
