import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.quality.climatology import SlotCounts, climatology, mature_days
from trimtab.quality.skill import SkillReference, daily_skill, rolling_origins


def hourly(days: int) -> np.ndarray:
    return np.datetime64("2013-01-01T04:00", "us") + np.arange(24 * days) * np.timedelta64(1, "h")


@given(st.integers(0, 2**32 - 1), st.integers(10, 30))
def test_no_label_that_was_not_mature_moves_a_forecast(seed, day):
    times = hourly(32)
    labels = np.random.default_rng(seed).integers(0, 2, len(times)).astype(float)
    changed = labels.copy()
    changed[24 * (day - 1) :] = 1 - changed[24 * (day - 1) :]
    now = slice(24 * day, 24 * (day + 1))
    assert np.array_equal(climatology(times, labels)[now], climatology(times, changed)[now], equal_nan=True)


def test_labels_of_the_last_mature_day_do_move_it():
    times = hourly(32)
    labels, day = np.zeros(len(times)), 20
    changed = labels.copy()
    changed[24 * (day - 2) : 24 * (day - 1)] = 1.0
    now = slice(24 * day, 24 * (day + 1))
    assert (climatology(times, changed)[now] > climatology(times, labels)[now]).all()


def test_a_week_of_days_is_needed_and_a_fortnight_is_remembered():
    times = hourly(40)
    labels = np.zeros(len(times))
    labels[: 24 * 5] = 1.0
    forecast = climatology(times, labels)
    assert np.isnan(forecast[: 24 * 8]).all()
    assert np.isfinite(forecast[24 * 8 :]).all()
    assert (forecast[24 * 25 :] == 0.0).all()


def test_unknown_labels_are_left_out():
    times, labels = hourly(30), np.full(24 * 30, np.nan)
    assert len(SlotCounts.of(times, labels).rows) == 0
    assert np.isnan(climatology(times, labels)).all()


@pytest.mark.parametrize(("seconds", "days"), [(0, 1), (3600, 2), (86_400, 2), (86_401, 3)])
def test_days_ripen_whole(seconds, days):
    assert mature_days(seconds) == days


def test_a_model_that_says_what_climatology_says_has_no_skill():
    p = np.array([0.2, 0.3, 0.4])
    days = daily_skill(np.array([1, 1, 2]), np.array([0.0, 1.0, 1.0]), p, p)
    assert [(d.day, d.rows, d.total) for d in days] == [(1, 2, 0.0), (2, 1, 0.0)]


def test_rows_without_label_or_climatology_are_not_scored():
    days = daily_skill(
        np.array([1, 1, 1]), np.array([np.nan, 1.0, 1.0]), np.full(3, 0.5), np.array([0.2, np.nan, 0.2])
    )
    assert [d.rows for d in days] == [1]


@given(st.integers(1, 20_000), st.integers(1, 4), st.integers(4, 60), st.integers(1, 4))
def test_origins_cover_the_reference_days_once_and_never_learn_from_them(last, mature, days, origins):
    cuts = rolling_origins(last, mature, days, origins)
    assert [day for _, scored in cuts for day in scored] == list(range(last - days + 1, last + 1))
    assert all(fit_before == scored.start - mature + 1 for fit_before, scored in cuts)


def test_one_day_is_no_reference():
    with pytest.raises(ValueError, match="two days"):
        SkillReference.of([0.1])
