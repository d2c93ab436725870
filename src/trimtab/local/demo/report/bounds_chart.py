"""One check over time: its estimate and the bounds around it, against what the candidate must stay under."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from trimtab.local.demo.report.axes import Tick, TimeAxis, ValueAxis, around, line, ribbon

WIDTH: Final = 400
HEIGHT: Final = 190
LEFT, RIGHT, TOP, BOTTOM = 56, 390, 12, 162


@dataclass(frozen=True, slots=True)
class Look:
    """The numbers at one time; a bound that is None is infinite."""

    at: datetime
    estimate: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of width x height."""

    title: str
    caption: str
    band: str
    estimate: str
    last: tuple[float, float, float] | None
    margin: float
    margin_text: str
    zero: float | None
    dates: Sequence[Tick]
    values: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def chart(
    title: str,
    caption: str,
    looks: Sequence[Look],
    margin: float,
    margin_text: str,
    zone: ZoneInfo,
    text: Callable[[float], str],
) -> Chart:
    """Draw one check.

    Args:
        looks: in order of time, at least one.
        margin: the line that the bounds are held against.
        text: a value, as the axis writes it.
    """
    times = TimeAxis(looks[0].at, max(looks[-1].at, looks[0].at + timedelta(days=1)), zone, LEFT, RIGHT)
    values = value_axis(looks, margin)
    low, high = values.low - 1, values.high + 1
    finite = [one for one in looks if one.lower is not None or one.upper is not None]
    upper = [(times.x(one.at), values.y(high if one.upper is None else one.upper)) for one in finite]
    lower = [(times.x(one.at), values.y(low if one.lower is None else one.lower)) for one in finite]
    known = [(times.x(one.at), values.y(one.estimate)) for one in looks if one.estimate is not None]
    last = (known[-1][0], upper[-1][1], lower[-1][1]) if known and finite else None
    return Chart(
        title,
        caption,
        ribbon(upper, lower),
        line(known),
        last,
        values.y(margin),
        margin_text,
        values.y(0.0) if margin else None,
        times.dates(),
        [Tick(values.y(mark), text(mark)) for mark in values.marks()],
    )


def value_axis(looks: Sequence[Look], margin: float) -> ValueAxis:
    """Room for zero, the margin, the last bounds and the later half of the estimates; early bounds run out of it."""
    later = looks[len(looks) // 2 :]
    shown = [one.estimate for one in later if one.estimate is not None]
    shown += [bound for bound in (looks[-1].lower, looks[-1].upper) if bound is not None]
    shown += [0.0, margin, margin * 1.4]
    return around(shown, TOP, BOTTOM)
