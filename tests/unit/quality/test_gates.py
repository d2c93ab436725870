from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.quality.calibration import calibration, calibration_of_confidence
from trimtab.quality.gates import Gate, judge, paired_difference
from trimtab.quality.metrics import METRICS
from trimtab.quality.slices import slices


@pytest.fixture
def held_out():
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(14), 200)
    truth = rng.uniform(0.05, 0.6, len(days))
    labels = (rng.uniform(size=len(days)) < truth).astype(float)
    return labels, truth, days


def test_a_candidate_as_good_as_stable_passes(held_out):
    labels, truth, days = held_out
    result = judge(Gate("log_loss", "no_worse_than_stable_by", 0.01), labels, truth, truth, days)
    assert result.passed
    assert (result.estimate, result.days) == (0.0, 14)


def test_a_worse_candidate_is_refused_with_its_figures(held_out):
    labels, truth, days = held_out
    result = judge(
        Gate("log_loss", "no_worse_than_stable_by", 0.01), labels, np.full_like(truth, 0.8), truth, days
    )
    assert not result.passed
    assert "14 days" in result.because
    assert result.estimate > 0.3


def test_a_small_but_sure_harm_is_refused_by_its_lower_bound(held_out):
    labels, truth, days = held_out
    result = judge(Gate("brier_score", "no_worse_than_stable_by", 0.5), labels, 1 - truth, truth, days)
    assert not result.passed
    assert "lower bound" in result.because


def test_better_than_stable_asks_for_a_gain(held_out):
    labels, truth, days = held_out
    gate = Gate("log_loss", "better_than_stable_by", 0.01)
    assert not judge(gate, labels, truth, truth, days).passed
    assert judge(gate, labels, truth, np.full_like(truth, 0.5), days).passed


def test_a_share_is_of_stables_own_value(held_out):
    labels, truth, days = held_out
    worse = np.clip(truth + 0.1, 0, 1)
    mean = judge(Gate("log_loss", "no_worse_than_stable_by", 9.0), labels, worse, truth, days).estimate
    stable = METRICS["log_loss"].compute(labels, truth)
    tight = Gate("log_loss", "no_worse_than_stable_by", mean / stable * 0.9, relative=True)
    assert "allowed" in judge(tight, labels, worse, truth, days).because


def test_a_ranking_metric_is_compared_by_the_jackknife(held_out):
    labels, truth, days = held_out
    result = judge(
        Gate("roc_auc", "no_worse_than_stable_by", 0.01), labels, np.full_like(truth, 0.3), truth, days
    )
    assert not result.passed
    assert result.standard_error > 0


@pytest.mark.parametrize("bound", ["at_least", "no_worse_than_stable_by"])
def test_nan_and_no_rows_are_never_passed(held_out, bound):
    labels, truth, days = held_out
    broken = truth.copy()
    broken[3] = np.nan
    result = judge(Gate("log_loss", bound, 0.0), labels, broken, truth, days)
    assert not result.passed
    assert "1 predictions" in result.because
    assert not judge(Gate("log_loss", bound, 9.0), labels[:0], truth[:0], truth[:0], days[:0]).passed


def test_the_first_model_has_nobody_to_beat(held_out):
    labels, truth, days = held_out
    assert judge(Gate("log_loss", "no_worse_than_stable_by", 0.01), labels, truth, None, days).passed
    assert not judge(Gate("roc_auc", "at_least", 0.99), labels, truth, None, days).passed
    assert judge(Gate("log_loss", "at_most", 0.9), labels, truth, None, days).passed


def test_the_error_is_of_days_and_not_of_rows():
    labels = np.ones(1000)
    days = np.repeat(np.arange(10), 100)
    stable = np.full(1000, 0.5)
    candidate = np.where(days % 2 == 0, 0.4, 0.6)
    found = paired_difference(METRICS["log_loss"], labels, candidate, stable, days)
    delta = -np.log(candidate) + np.log(stable)
    assert found.standard_error > 5 * delta.std() / np.sqrt(1000)


@given(st.integers(0, 2**32 - 1), st.integers(1, 500))
def test_calibration_keeps_every_row_and_the_mean(seed, rows):
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, 2, rows).astype(float), rng.integers(0, 9, rows) / 10
    table = calibration(labels, p)
    assert sum(cell.rows for cell in table) == rows
    assert sum(cell.rows * cell.predicted for cell in table) == pytest.approx(p.sum())
    assert all(a.predicted < b.predicted for a, b in pairwise(table))


def test_a_model_of_several_classes_that_knows_how_sure_it_may_be_is_on_the_line():
    rng = np.random.default_rng(5)
    said = rng.dirichlet([1.0, 2.0, 3.0], 60_000)
    labels = (said.cumsum(axis=1) < rng.random((len(said), 1))).sum(axis=1)  # drawn as it is said
    honest = calibration_of_confidence(labels, said)
    assert sum(one.rows for one in honest) == len(said)
    assert all(one.observed == pytest.approx(one.predicted, abs=0.03) for one in honest)  # 4 standard errors
    too_sure = said**3 / (said**3).sum(axis=1, keepdims=True)
    assert all(
        one.observed < one.predicted - 0.03 for one in calibration_of_confidence(labels, too_sure)[1:-1]
    )


def test_slices_are_ordered_by_rows_and_scored_alone():
    by = np.array(["a", "b", "b", ""], dtype=object)
    found = slices("carrier", by, np.array([1.0, 0, 0, 1]), np.array([0.9, 0.1, 0.8, 0.2]), ["accuracy"])
    assert [(s.value, s.rows, s.metrics["accuracy"]) for s in found] == [
        ("b", 2, 0.5),
        ("", 1, 0.0),
        ("a", 1, 1.0),
    ]
