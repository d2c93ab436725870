"""Cuts time into blocks of evidence: local days cut in the quiet of the night, or equal parts of a day.

A local day is cut at `cut_hour` by the clocks of `zone`, so it has 23 or 25 hours when they change. Shorter
blocks are cut in UTC and divide its day. Times are datetime64[us] in UTC throughout.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]
DAY_S = 86_400
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_QUARTER_US = _HOUR_US // 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def block_starts(times: Times, length_s: int = DAY_S, zone: str = "UTC", cut_hour: int = 4) -> Times:
    """The start of the block that each time falls into, datetime64[us] UTC, shape (rows,).

    Args:
        length_s: block length; whole days are local, and runs of several are counted from 1970-01-01;
        anything
            shorter divides 86,400.

    Raises:
        ValueError: another length.

    >>> night = np.array(["2013-07-01T07:59", "2013-07-01T08:00"], "datetime64[us]")
    >>> block_starts(night, zone="America/New_York").astype(str).tolist()
    ['2013-06-30T08:00:00.000000', '2013-07-01T08:00:00.000000']
    """
    if length_s <= 0 or (length_s % DAY_S and DAY_S % length_s):
        raise ValueError(f"a block is whole days or divides one, and {length_s} s does neither")
    micros = times.astype("datetime64[us]").astype(np.int64)
    if length_s % DAY_S:
        return (micros - micros % (length_s * 1_000_000)).astype("datetime64[us]")
    days = length_s // DAY_S
    first = _local_days(micros, zone, cut_hour) // days * days
    return day_starts(first, zone, cut_hour)


def local_days(times: Times, zone: str = "UTC", cut_hour: int = 4) -> NDArray[np.int64]:
    """Number of each time's local day, counted from 1970-01-01, shape (rows,)."""
    return _local_days(times.astype("datetime64[us]").astype(np.int64), zone, cut_hour)


def day_starts(days: NDArray[np.int64], zone: str = "UTC", cut_hour: int = 4) -> Times:
    """When local days start, datetime64[us] UTC: the inverse of `local_days`."""
    unique, inverse = np.unique(days, return_inverse=True)
    starts = np.array([_day_start_us(int(day), zone, cut_hour) for day in unique], np.int64)
    return starts[inverse].astype("datetime64[us]")


def block_end(start: datetime, length_s: int = DAY_S, zone: str = "UTC", cut_hour: int = 4) -> datetime:
    """When the block that starts at `start` (aware) is over.

    >>> block_end(datetime(2013, 3, 9, 9, tzinfo=UTC), zone="America/New_York")
    datetime.datetime(2013, 3, 10, 8, 0, tzinfo=datetime.timezone.utc)
    """
    if length_s % DAY_S:
        return start + timedelta(seconds=length_s)
    here = np.array([start.astimezone(UTC).replace(tzinfo=None)], "datetime64[us]")
    day = int(local_days(here, zone, cut_hour)[0]) + length_s // DAY_S
    return _EPOCH + timedelta(microseconds=_day_start_us(day, zone, cut_hour))


def local_hours(times: Times, zone: str = "UTC") -> NDArray[np.int64]:
    """Hour of the day by the clocks of `zone`, 0–23, shape (rows,)."""
    micros = times.astype("datetime64[us]").astype(np.int64)
    return (micros + _offsets_us(micros, zone)) // _HOUR_US % 24


def _local_days(micros: NDArray[np.int64], zone: str, cut_hour: int) -> NDArray[np.int64]:
    return (micros + _offsets_us(micros, zone) - cut_hour * _HOUR_US) // _DAY_US


def _offsets_us(micros: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """What local clocks are ahead of UTC by; clocks change on quarters of an hour everywhere."""
    quarters, inverse = np.unique(micros // _QUARTER_US, return_inverse=True)
    return np.array([_offset_us(int(quarter), zone) for quarter in quarters], np.int64)[inverse]


@lru_cache(maxsize=200_000)
def _offset_us(quarter: int, zone: str) -> int:
    moment = _EPOCH + timedelta(microseconds=quarter * _QUARTER_US)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


@lru_cache(maxsize=20_000)
def _day_start_us(day: int, zone: str, cut_hour: int) -> int:
    date = datetime(1970, 1, 1) + timedelta(days=day, hours=cut_hour)  # noqa: DTZ001 its zone is set next
    return (date.replace(tzinfo=ZoneInfo(zone)) - _EPOCH) // timedelta(microseconds=1)
