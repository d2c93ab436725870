"""Who teaches and who judges."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.api.project import Split
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.split import split_at_random, split_by_time

HOURS = np.datetime64("2013-01-01", "us") + np.arange(60 * 24) * np.timedelta64(1, "h")


@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 5))
def test_parts_follow_each_other_with_the_gap_between(validation: int, test: int, gap: int) -> None:
    split = Split(validation=timedelta(days=validation), test=timedelta(days=test), gap=timedelta(days=gap))
    parts = split_by_time(HOURS, split, timedelta(days=99))
    wait = np.timedelta64(gap, "D")
    assert HOURS[parts.training].max() + wait < HOURS[parts.validation].min()
    assert HOURS[parts.validation].max() + wait < HOURS[parts.test].min()
    assert parts.test.sum() == test * 24
    assert parts.validation.sum() == validation * 24


def test_the_gap_is_the_labels_maturity_unless_stated() -> None:
    parts = split_by_time(HOURS, Split(), timedelta(hours=30))
    assert HOURS[parts.validation].min() - HOURS[parts.training].max() > np.timedelta64(30, "h")


def test_a_share_counts_the_newest_rows() -> None:
    parts = split_by_time(HOURS, Split(validation=0.1, test=0.2, gap=timedelta(0)), timedelta(0))
    assert (parts.training.sum(), parts.validation.sum(), parts.test.sum()) == (1008, 144, 288)


@given(st.integers(200, 2000), st.integers(0, 5))
def test_at_random_each_row_is_in_one_part(rows: int, seed: int) -> None:
    parts = split_at_random(rows, Split(validation=0.2, test=0.3), seed)
    assert (parts.training.astype(int) + parts.validation + parts.test == 1).all()
    assert parts.test.sum() == round(rows * 0.3)


def test_too_few_rows_are_refused_with_the_counts() -> None:
    with pytest.raises(TrainingRefused, match=r"test rows are 0|training rows are 0"):
        split_by_time(HOURS[:100], Split(), timedelta(0))
