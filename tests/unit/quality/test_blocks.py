from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.quality.blocks import block_end, block_starts, day_starts, local_days, local_hours

ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"])
moments = st.lists(st.integers(1_325_376_000_000_000, 1_420_070_400_000_000), min_size=1, max_size=20).map(
    lambda micros: np.array(micros, "datetime64[us]")
)


@given(moments, ZONES, st.integers(0, 6), st.sampled_from([3600, 21_600, 86_400, 172_800, 604_800]))
def test_a_time_lies_in_its_block(times, zone, cut_hour, length_s):
    starts = block_starts(times, length_s, zone, cut_hour)
    for time, start in zip(times, starts, strict=True):
        aware = start.astype(datetime).replace(tzinfo=UTC)
        end = block_end(aware, length_s, zone, cut_hour)
        assert aware <= time.astype(datetime).replace(tzinfo=UTC) < end
        again = block_starts(np.array([start]), length_s, zone, cut_hour)
        assert again[0] == start


@given(moments, ZONES, st.integers(0, 6))
def test_day_numbers_and_day_starts_are_inverse(times, zone, cut_hour):
    days = local_days(times, zone, cut_hour)
    assert (local_days(day_starts(days, zone, cut_hour), zone, cut_hour) == days).all()


def test_new_yorks_days_are_cut_at_four_by_its_own_clocks():
    times = np.array(["2013-01-02T08:59", "2013-01-02T09:00", "2013-07-02T08:00"], "datetime64[us]")
    assert local_days(times, "America/New_York").tolist() == [15706, 15707, 15888]
    assert local_hours(times, "America/New_York").tolist() == [3, 4, 4]


@pytest.mark.parametrize(
    ("date", "hours"), [("2013-03-09T09", 23), ("2013-11-02T08", 25), ("2013-05-02T08", 24)]
)
def test_a_day_on_which_clocks_change_has_23_or_25_hours(date, hours):
    start = datetime.fromisoformat(date).replace(tzinfo=UTC)
    assert (block_end(start, zone="America/New_York") - start).total_seconds() == hours * 3600


@pytest.mark.parametrize("length_s", [0, -3600, 5000, 100_000])
def test_a_block_that_does_not_divide_a_day_is_refused(length_s):
    with pytest.raises(ValueError, match="divides"):
        block_starts(np.array(["2013-01-01"], "datetime64[us]"), length_s)
