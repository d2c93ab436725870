"""Axes and paths of the page's drawings, in the units of an SVG's viewBox; y grows downwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trimtab.drift.figures import round_marks

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Time from left to right.

    Attributes:
        left, right: where start and end lie.
    """

    start: datetime
    end: datetime
    zone: ZoneInfo
    left: float
    right: float

    def x(self, at: datetime) -> float:
        """Where a time lies; times outside stand at the edge."""
        share = (at - self.start) / (self.end - self.start)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def months(self) -> list[Tick]:
        """The first of each local month, and the start."""
        first = self.start.astimezone(self.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        ticks = []
        while first < self.end:
            shown = max(first, self.start)
            ticks.append(Tick(self.x(shown), f"{first:%b}"))
            first = (first + timedelta(days=32)).replace(day=1)
        return ticks

    def dates(self, most: int = 4) -> list[Tick]:
        """A few local midnights, evenly apart."""
        days = max(1, round((self.end - self.start) / timedelta(days=1)))
        step = next(step for step in (1, 2, 3, 5, 7, 14, 28, 56, 400) if days / step <= most)
        return [Tick(self.x(at), f"{at.day} {at:%b}") for at in self._midnights(step)]

    def _midnights(self, step: int) -> Iterator[datetime]:
        at = self.start.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        at += timedelta(days=1)
        while at <= self.end:
            yield at
            at += timedelta(days=step)


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """Values from the bottom up.

    Attributes:
        top, bottom: where high and low lie.
    """

    low: float
    high: float
    top: float
    bottom: float

    def y(self, value: float) -> float:
        """Where a value lies; values outside stand at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - min(1.0, max(0.0, share)) * (self.bottom - self.top)

    def marks(self) -> list[float]:
        """Round values within, five at most."""
        found = round_marks(self.low, self.high)
        if len(found) <= 5:
            return found
        return found[found.index(0.0) % 2 :: 2] if 0.0 in found else found[1::2]


def around(values: Sequence[float], top: float, bottom: float) -> ValueAxis:
    """An axis with a tenth of room around the values."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.1 * (high - low) or 0.1
    return ValueAxis(low - room, high + room, top, bottom)


def line(points: Sequence[Point]) -> str:
    """A path through points."""
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def ribbon(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """A closed path between two lines over the same x."""
    return f"{line([*upper, *reversed(lower)])} Z" if upper else ""


def stairs(points: Sequence[Point], end: float) -> list[Point]:
    """Points of a value that holds until the next one, up to x = end."""
    found: list[Point] = []
    for (x, y), following in zip(points, [*(x for x, _ in points[1:]), end], strict=True):
        found += [(x, y), (following, y)]
    return found
