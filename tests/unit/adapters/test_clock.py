"""A replay's time is the same in every process that looks at its file."""

from datetime import UTC, datetime, timedelta

import pytest

from trimtab.adapters.clock import FileClock, ReplayClock
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
