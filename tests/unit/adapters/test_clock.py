"""A replay's time is the same in every process that looks at its file."""

from datetime import UTC, datetime, timedelta

import pytest

from trimtab.adapters.clock import FileClock, PacedClock, ReplayClock
from trimtab.api.errors import InputRefused

START = datetime(2013, 4, 1, 8, 0, 0, 1, tzinfo=UTC)


def test_a_file_shows_the_time_to_others(tmp_path):
    clock = ReplayClock(START, tmp_path / "clock")
    seen = FileClock(tmp_path / "clock")
    for step in (timedelta(0), timedelta(hours=1), timedelta(microseconds=1)):
        clock.by(step)
        assert datetime.fromtimestamp(0, UTC) + timedelta(microseconds=seen.now_us()) == clock.now()


def test_time_never_goes_back():
    clock = ReplayClock(START)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(START - timedelta(seconds=1))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputRefused, match="no clock file"):
        FileClock(tmp_path / "none")


def test_a_rehearsal_shows_all_processes_the_same_faster_time():
    since = datetime.now(UTC) - timedelta(minutes=10)
    told = since.isoformat(), START.isoformat(), "600"
    one, other = PacedClock.parsed(*told), PacedClock(since, START, 600)
    assert timedelta(minutes=6_000) <= one.now() - START < timedelta(minutes=6_600)
    assert abs(one.now() - other.now()) < timedelta(minutes=60)
    began_s, began = one.monotonic_s(), one.now()
    while one.now() - began < timedelta(seconds=30):
        pass
    assert one.monotonic_s() - began_s >= 30
    assert PacedClock(datetime.now(UTC) + timedelta(hours=1), START, 600).now() == START


def test_a_rehearsal_that_is_not_one_is_refused():
    with pytest.raises(InputRefused, match="--rehearsal"):
        PacedClock.parsed("yesterday", START.isoformat(), "600")
