from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential import Bounds
from trimtab.sequential.betting import Strata, Stratum, bounds, least_requests, log_e_above, log_e_below


@st.composite
def stratum(draw):
    n, m = draw(st.integers(0, 3000)), draw(st.integers(0, 3000))
    return Stratum(
        draw(st.sampled_from([0.05, 0.2, 0.5])),
        n,
        draw(st.integers(0, n)),
        m,
        draw(st.integers(0, m)),
    )


strata = st.lists(stratum(), max_size=5)


@given(strata, st.integers(0, 5), st.sampled_from([0.0, 0.02]))
def test_evidence_of_steps_adds_up(held, cut, mean):
    whole, parts = Strata.of(held), Strata.of(held[:cut]) + Strata.of(held[cut:])
    assert whole == parts
    assert log_e_above(whole, mean) == log_e_above(parts, mean)


@given(strata, st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
def test_evidence_is_monotone_in_the_supposed_difference(held, a, b):
    low, high = sorted((a, b))
    evidence = Strata.of(held)
    assert log_e_above(evidence, low) >= log_e_above(evidence, high) - 1e-6
    assert log_e_below(evidence, low) <= log_e_below(evidence, high) + 1e-6


@given(strata)
def test_bounds_are_where_the_evidence_is_enough(held):
    evidence = Strata.of(held)
    found = bounds(evidence, 0.01, 0.05)
    assert found.lower <= found.upper
    if found.lower > -1:
        assert log_e_above(evidence, found.lower) >= log(1 / 0.01)
    if found.upper < 1:
        assert log_e_below(evidence, found.upper) >= log(1 / 0.05)


@given(strata)
def test_evidence_survives_being_written_down(held):
    assert Strata.from_json(Strata.of(held).to_json()) == Strata.of(held)


def test_one_request_is_a_fair_game_when_the_arms_are_equal():
    weight, rate = 0.2, 0.3
    for supposed, log_e in ((0.0, log_e_above), (0.0, log_e_below)):
        expected = sum(
            chance * np.exp(log_e(Strata((Stratum(weight, *counts),)), supposed))
            for chance, counts in (
                (weight * rate, (1, 1, 0, 0)),
                (weight * (1 - rate), (1, 0, 0, 0)),
                ((1 - weight) * rate, (0, 0, 1, 1)),
                ((1 - weight) * (1 - rate), (0, 0, 1, 0)),
            )
        )
        assert expected == pytest.approx(1.0)


def test_under_200_candidate_requests_nothing_is_known():
    found = bounds(Strata.of([Stratum(0.05, 199, 199, 4000, 0)]), 0.01, 0.05)
    assert (found.lower, found.upper) == (-inf, inf)


def test_the_least_number_of_requests_is_the_least():
    n = least_requests(0.02, 0.05, 0.5)
    clean = lambda k: bounds(Strata.of([Stratum(0.5, k, 0, k, 0)]), 0.01, 0.05).upper  # noqa: E731
    assert clean(n + 5) < 0.02 <= clean(n - 5)


def test_arms_that_were_not_assigned_as_stated_prove_nothing():
    mismatched = Strata.of([Stratum(0.5, 0, 0, 9, 9), Stratum(0.05, 200, 0, 0, 0)])
    assert bounds(mismatched, 0.01, 0.05) == Bounds()


def test_weights_do_not_pool():
    with pytest.raises(ValueError, match="do not pool"):
        Stratum(0.2, 1, 0, 1, 0) + Stratum(0.5, 1, 0, 1, 0)


@pytest.mark.parametrize(
    "counts", [(0.0, 1, 0, 1, 0), (1.0, 1, 0, 1, 0), (0.5, 1, 2, 1, 0), (0.5, 1, 0, 1, -1)]
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError):
        Stratum(*counts)


def test_false_claims_of_a_wholly_looked_at_canary_stay_under_alpha():
    rng, alpha, claims = np.random.default_rng(5), 0.05, 0
    for _ in range(300):
        evidence = Strata()
        for _hour in range(48):
            n = rng.binomial(40, 0.2)
            evidence += Strata((Stratum(0.2, n, rng.binomial(n, 0.1), 40 - n, rng.binomial(40 - n, 0.1)),))
            if log_e_above(evidence, 0.0) >= log(1 / alpha):
                claims += 1
                break
    assert claims / 300 <= alpha
