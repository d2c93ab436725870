"""Time-series folds: what judges lies behind what teaches, and no label that teaches was still open."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trimtab.api.search import Folds
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.folds import Fold, folds_at_random, folds_by_time

BEGIN = np.datetime64("2024-01-01", "us")


@st.composite
def timed_folds(draw):
    """Moments in any order, maturity and folds that they hold."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gaps_m = rng.exponential(draw(st.integers(10, 300)), draw(st.integers(300, 600))).astype(int)
    times = rng.permutation(BEGIN + np.cumsum(gaps_m).astype("timedelta64[m]"))
    mature = timedelta(hours=draw(st.integers(0, 48)))
    gap = draw(st.one_of(st.just("auto"), st.integers(0, 96).map(lambda hours: timedelta(hours=hours))))
    window = draw(st.sampled_from(["expanding", "sliding"]))
    length = draw(st.one_of(st.none(), st.integers(12, 100).map(lambda hours: timedelta(hours=hours))))
    spec = Folds(window=window, count=draw(st.integers(1, 5)), length=length, gap=gap)
    try:
        return times, mature, spec, folds_by_time(times, spec, mature)
    except TrainingRefused:
        assume(False)


@given(timed_folds())
def test_every_label_that_teaches_was_mature_before_its_fold_judges(made):
    times, mature, spec, folds = made
    gap = mature if spec.gap == "auto" else max(spec.gap, mature)
    for fold in folds:
        assert times[fold.training].max() + np.timedelta64(gap) < times[fold.validation].min()


@given(timed_folds())
def test_validation_parts_are_disjoint_in_order_and_end_with_the_rows(made):
    times, _, spec, folds = made
    assert len(folds) == spec.count
    for before, after in pairwise(folds):
        assert times[before.validation].max() < times[after.validation].min()
    assert times[folds[-1].validation].max() == times.max()


@given(timed_folds())
def test_expanding_folds_keep_what_they_learned_from_and_sliding_ones_a_length(made):
    times, _, spec, folds = made
    spans = [times[fold.training].max() - times[fold.training].min() for fold in folds]
    for before, after in pairwise(folds):
        if spec.window == "expanding":
            assert set(before.training) <= set(after.training)
        else:
            assert times[before.training].min() <= times[after.training].min()
    if spec.window == "sliding":
        reach = times[folds[0].validation].min() - times.min()
        assert all(span <= reach for span in spans)


def test_without_a_length_the_later_half_of_the_time_judges():
    times = BEGIN + np.arange(0, 60 * 24) * np.timedelta64(1, "h")
    folds = folds_by_time(times, Folds(count=3), timedelta(hours=6))
    assert [len(fold.validation) for fold in folds] == [240, 240, 240]
    assert len(folds[0].training) == 720 - 6


@given(st.integers(200, 900), st.integers(1, 6), st.integers(0, 5))
def test_at_random_no_row_judges_twice_or_teaches_its_own_fold(rows: int, count: int, seed: int):
    folds = folds_at_random(rows, count, seed)
    judged = np.concatenate([fold.validation for fold in folds])
    assert len(np.unique(judged)) == len(judged)
    assert count == 1 or len(judged) == rows
    for fold in folds:
        assert sorted([*fold.training, *fold.validation]) == list(range(rows))


def test_a_time_that_does_not_hold_the_folds_is_refused_with_the_counts():
    times = BEGIN + np.arange(100) * np.timedelta64(1, "h")
    with pytest.raises(
        TrainingRefused, match=r"search\.folds: fold 1 of 5 has \d+ training and 10 validation rows"
    ):
        folds_by_time(times, Folds(count=5), timedelta(hours=1))
    with pytest.raises(TrainingRefused, match="fold 1 of 3 has 0 training"):
        folds_by_time(times, Folds(count=3, length=timedelta(days=30)), timedelta(hours=1))
    assert isinstance(folds_at_random(100, 2, 0)[0], Fold)
