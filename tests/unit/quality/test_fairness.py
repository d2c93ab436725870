"""Gaps between groups, against their definitions computed row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.quality.fairness import fairness, judge_gap

rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 10)), min_size=30, max_size=120
)


@given(rows)
@settings(deadline=None)
def test_gaps_are_the_widest_differences_of_rates(sklearn_metrics, given_rows):
    group, y, p = (np.array(part) for part in zip(*given_rows, strict=True))
    p = p / 10
    found = fairness("who", group.astype(object), y.astype(float), p, np.arange(len(y)) % 9, 7, min_rows=1)
    selected, tpr, fpr = [], [], []
    for name in np.unique(group):
        here = group == name
        called = p[here] >= 0.5
        selected.append(called.mean())
        tn, fp, fn, tp = sklearn_metrics.confusion_matrix(y[here], called, labels=[False, True]).ravel()
        tpr += [tp / (tp + fn)] if tp + fn else []
        fpr += [fp / (fp + tn)] if fp + tn else []
    spans = [np.ptp(rates) if rates else np.nan for rates in (selected, tpr, fpr)]
    if len(np.unique(group)) < 2:
        assert np.isnan(list(found.gaps.values())).all()
        return
    expected = [spans[0], spans[1], np.fmax(spans[1], spans[2])]
    assert list(found.gaps.values()) == pytest.approx(expected, nan_ok=True)


@pytest.fixture(scope="module")
def sklearn_metrics():
    import sklearn.metrics

    return sklearn.metrics


def test_a_gap_has_an_interval_and_its_limit_names_the_groups():
    rng = np.random.default_rng(1)
    group = np.array(["old", "young"], dtype=object)[rng.integers(0, 2, 4000)]
    y = rng.integers(0, 2, 4000).astype(float)
    p = rng.random(4000) + np.where(group == "old", 0.1, -0.1)
    found = fairness("age", group, y, p, np.arange(4000) // 200, 7)
    held = found.intervals["demographic_parity_difference"]
    assert held.lower < 0.2 < held.upper
    assert held.lower < found.gaps["demographic_parity_difference"] < held.upper
    said = judge_gap(found, "demographic_parity_difference", 0.1)
    assert not said.passed
    assert "young" in said.because
    assert "old" in said.because
    assert judge_gap(found, "equalized_odds_difference", 0.5).passed


def test_small_groups_are_shown_and_take_no_part():
    group = np.array(["a"] * 100 + ["b"] * 100 + ["rare"] * 3, dtype=object)
    p = np.where(group == "rare", 1.0, 0.0)
    found = fairness("who", group, np.zeros(203), p, np.arange(203) % 10, 7)
    assert found.gaps["demographic_parity_difference"] == 0
    assert [(one.value, one.judged) for one in found.groups] == [("a", True), ("b", True), ("rare", False)]


def test_one_group_passes_no_limit():
    found = fairness("who", np.full(100, "a", object), np.zeros(100), np.zeros(100), np.arange(100) % 10, 7)
    assert not judge_gap(found, "demographic_parity_difference", 1.0).passed
