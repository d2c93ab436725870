"""Five-field cron lines: minute, hour, day of month, month, day of week (0 and 7 are Sunday).

Fields hold `*`, numbers, ranges `a-b`, lists with commas and steps `/n`. Where both day fields are restricted,
either is enough, as in cron (POSIX crontab).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_YEARS_BACK: Final = 8
"""Far enough to find a 29 February."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The values that each field allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, line: str) -> "Cron":
        """Raises ValueError that names the field at fault."""
        parts = line.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"'{line}' has {len(parts)} fields; cron has 5: minute hour day month weekday")
        minutes, hours, days, months, weekdays = (
            _values(text, *field) for text, field in zip(parts, _FIELDS, strict=True)
        )
        sunday_first = frozenset(day % 7 for day in weekdays)
        return cls(minutes, hours, days, months, sunday_first, parts[2] == "*", parts[4] == "*")

    def latest(self, now: datetime, zone: str) -> datetime | None:
        """The latest time at or before `now`, in UTC; None where there is none in eight years.

        A local time that the clocks skip fires as if they had not been set; one that they repeat fires at its first.

        >>> from datetime import UTC
        >>> Cron.parse("0 3 * * 1").latest(datetime(2013, 4, 10, tzinfo=UTC), "Etc/UTC").isoformat()
        '2013-04-08T03:00:00+00:00'
        """
        local = now.astimezone(ZoneInfo(zone))
        day = local.date()
        for _ in range(366 * _YEARS_BACK):
            if self._on(day.day, day.month, day.isoweekday() % 7):
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
                        fires = at.astimezone(now.tzinfo)
                        if fires <= now:
                            return fires
            day -= timedelta(days=1)
        return None

    def _on(self, day: int, month: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def _values(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        try:
            every = int(step) if step else 1
            if span == "*":
                first, last = low, high
            else:
                start, _, end = span.partition("-")
                first = int(start)
                last = int(end) if end else (high if step else first)
        except ValueError:
            raise ValueError(
                f"cron field {name}: '{part}' is not a number, a range, * or one of them with /step"
            ) from None
        if every < 1 or not low <= first <= last <= high:
            raise ValueError(f"cron field {name}: '{part}' is outside {low}-{high}")
        found.update(range(first, last + 1, every))
    return frozenset(found)
