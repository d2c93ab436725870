from math import inf, isclose, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential.t_mixture import Blocks, bounds, least_blocks, log_e

losses = st.integers(-50_000, 50_000).map(lambda thousandths: thousandths / 1000)
sums = st.tuples(losses, st.integers(1, 1000))
blocks = st.lists(sums, min_size=1, max_size=40)


@given(blocks, st.integers(0, 40))
def test_evidence_of_parts_adds_up_to_evidence_of_the_whole(held, cut):
    whole, parts = Blocks.of(held), Blocks.of(held[:cut]) + Blocks.of(held[cut:])
    assert whole.n == parts.n
    assert log_e(whole, 0.0) == pytest.approx(log_e(parts, 0.0), rel=1e-6, abs=1e-9)


@given(blocks, st.floats(1e-3, 1e3))
def test_the_unit_of_loss_does_not_matter(held, factor):
    scaled = [(total * factor, rows) for total, rows in held]
    assert log_e(Blocks.of(scaled), 0.0) == pytest.approx(log_e(Blocks.of(held), 0.0), rel=1e-6, abs=1e-6)


@given(st.lists(losses, min_size=9, max_size=60), st.sampled_from([0.01, 0.05]))
def test_bounds_of_equal_blocks_are_the_closed_form(z, alpha):
    n, c, z = len(z), 0.25, np.asarray(z)
    v = float(np.sum((z - z.mean()) ** 2))
    t = (1 + c * n) ** (1 / n) * (2 * alpha) ** (-2 / n)
    half = sqrt(v / n * (t - 1) * (1 + c * n) / (1 + c * n - t))
    found = bounds(Blocks.of((20 * x, 20) for x in z), alpha, alpha)
    assert found.lower == pytest.approx(z.mean() - half, rel=1e-6, abs=1e-6)
    assert found.upper == pytest.approx(z.mean() + half, rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(losses, st.integers(80, 120)), min_size=9, max_size=40))
def test_at_a_bound_the_evidence_is_just_enough(held):
    evidence = Blocks.of(held)
    found = bounds(evidence, 0.05, 0.01)
    if found.upper - found.lower < 1e-6:
        return
    if found.lower > -inf:
        assert isclose(log_e(evidence, found.lower), log(1 / 0.1), rel_tol=1e-3)
    if found.upper < inf:
        assert isclose(log_e(evidence, found.upper), log(1 / 0.02), rel_tol=1e-3)


@given(blocks)
def test_a_smaller_alpha_never_narrows_the_bounds(held):
    wide, narrow = bounds(Blocks.of(held), 0.01, 0.01), bounds(Blocks.of(held), 0.05, 0.05)
    assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper


def test_nothing_is_bounded_before_the_least_number_of_blocks():
    for alpha in (0.05, 0.0167, 0.01):
        n = least_blocks(alpha)
        z = [(0.001 * k, 1.0) for k in range(n)]
        assert bounds(Blocks.of(z[:-1]), alpha, alpha).upper == inf
        assert bounds(Blocks.of(z), alpha, alpha).upper < inf


def test_two_identical_models_are_known_to_be_equal_after_seven_blocks():
    found = bounds(Blocks.of([(0.0, 250.0)] * 7), 0.05, 0.05)
    assert (found.lower, found.upper) == (0.0, 0.0)


def test_a_block_without_rows_is_no_evidence():
    assert Blocks().add(0.0, 0) == Blocks()
    assert log_e(Blocks(), 0.0) == 0.0


def test_false_claims_over_28_looks_stay_under_alpha():
    rng, alpha, runs = np.random.default_rng(11), 0.05, 1500
    z = rng.normal(size=(runs, 28))
    n = np.arange(1, 29)
    s, q = np.cumsum(z, axis=1), np.cumsum(z * z, axis=1)
    e = -0.5 * np.log(1 + n / 4) - n / 2 * np.log1p(-s * s / 4 / ((1 + n / 4) * q))
    claimed = ((e >= log(1 / (2 * alpha))) & (s > 0)).any(axis=1).mean()
    assert claimed <= alpha
    evidence = Blocks.of((x, 1.0) for x in z[0])
    assert log_e(evidence, 0.0) == pytest.approx(e[0, -1])
