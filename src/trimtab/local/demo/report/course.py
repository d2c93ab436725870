"""Skill and log loss by revision through the year, smoothed over a week, with bootstrap bands over days."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

from trimtab.local.demo.report import words
from trimtab.local.demo.report.axes import Tick, TimeAxis, around, line, ribbon
from trimtab.local.demo.report.told import Told, when

WIDTH: Final = 1072
HEIGHT: Final = 232
LEFT, TOP, BOTTOM = 76, 14, 200
REACH: Final = timedelta(days=3, hours=2)
"""Days on either side of one that are averaged with it; the hours allow for a change of the clocks."""
LEAST_DAYS: Final = 4
DRAWS: Final = 500
LEVEL: Final = 0.9
SEED: Final = 7
GAP: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Point:
    """A weekly mean around one day, with the band that days drawn again would give it."""

    at: datetime
    value: float
    low: float
    high: float
    serves: bool


@dataclass(frozen=True, slots=True)
class Course:
    """One revision's line: solid where it answered requests, dashed where it only got copies."""

    name: str
    colour: str
    band: str
    solid: str
    dashed: str
    label: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of all revisions."""

    title: str
    under: str
    courses: Sequence[Course]
    values: Sequence[Tick]
    zero: float | None
    months: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - 44
    top: int = TOP
    bottom: int = BOTTOM


def panels(told: Told) -> list[Panel]:
    """Skill, then log loss."""
    return [
        panel(
            told,
            "skill",
            "skill_rows",
            "Skill: log loss minus that of climatology",
            "nats a flight; below zero beats the late rate of the last fourteen days at that hour",
            zero=True,
        ),
        panel(
            told,
            "loss",
            "rows",
            "Log loss",
            "nats a flight; it follows the weather as much as the model, so nothing trips on it",
            zero=False,
        ),
    ]


def panel(told: Told, total: str, rows: str, title: str, under: str, *, zero: bool) -> Panel:
    lines = {revision: list(weekly(told, revision, total, rows)) for revision in told.names}
    lines = {revision: points for revision, points in lines.items() if points}
    reach = [edge for points in lines.values() for one in points for edge in (one.low, one.high)]
    values = around([*reach, 0.0] if zero else reach, TOP, BOTTOM)
    axis = TimeAxis(told.start, told.end, told.zone, LEFT, WIDTH - 44)
    courses = []
    for revision, points in lines.items():
        place = [(axis.x(one.at), values.y(one.value)) for one in points]
        courses.append(
            Course(
                told.name(revision),
                told.colour(revision),
                " ".join(
                    ribbon(
                        [(axis.x(one.at), values.y(one.high)) for one in part],
                        [(axis.x(one.at), values.y(one.low)) for one in part],
                    )
                    for part in unbroken(points)
                ),
                pieces(points, place, serves=True),
                pieces(points, place, serves=False),
                (place[-1][0] + 6, place[-1][1] + 4),
            )
        )
    marks = [Tick(values.y(mark), words.plain(mark, 2)) for mark in values.marks()]
    return Panel(title, under, courses, marks, values.y(0.0) if zero else None, axis.months())


def weekly(told: Told, revision: str, total: str, rows: str) -> Iterator[Point]:
    """Means over the week around each day that has enough days with flights in it."""
    days = [one for one in told.story["days"].get(revision, ()) if one[rows]]
    starts = [when(one["start"]) for one in days]
    sums = np.array([one[total] for one in days], np.float64)
    counts = np.array([one[rows] for one in days], np.float64)
    draw = np.random.default_rng(SEED)
    for start in starts:
        near = np.array([place for place, other in enumerate(starts) if abs(other - start) <= REACH])
        if len(near) < LEAST_DAYS:
            continue
        again = draw.choice(near, (DRAWS, len(near)))
        means = sums[again].sum(1) / counts[again].sum(1)
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        value = float(sums[near].sum() / counts[near].sum())
        yield Point(
            start + timedelta(hours=12), value, float(low), float(high), serves(told, revision, start)
        )


def serves(told: Told, revision: str, at: datetime) -> bool:
    """Whether it answered requests on the day that begins at a time."""
    noon = at + timedelta(hours=12)
    return any(split.weights.get(revision) for split in told.splits if split.start <= noon < split.end)


def unbroken(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Stretches without a gap of days."""
    first = 0
    for place in range(1, len(points) + 1):
        if place == len(points) or points[place].at - points[place - 1].at > GAP:
            yield points[first:place]
            first = place


def pieces(points: Sequence[Point], place: Sequence[tuple[float, float]], *, serves: bool) -> str:
    """The segments whose both ends are of one kind; the segment in which a revision begins to serve is dashed."""
    found: list[list[tuple[float, float]]] = []
    for before in range(len(points) - 1):
        both = points[before].serves and points[before + 1].serves
        if both is not serves or points[before + 1].at - points[before].at > GAP:
            continue
        if not found or found[-1][-1] != place[before]:
            found.append([place[before]])
        found[-1].append(place[before + 1])
    return " ".join(line(part) for part in found)


def monthly(told: Told) -> list[dict[str, Any]]:
    """The rows of the table by month, with a bar's length for each value."""
    rows: Sequence[Mapping[str, Any]] = told.story["result"]["monthly"]
    top = max((one["log_loss"] for one in rows), default=1.0)
    shown, month = [], ""
    for one in rows:
        name = f"{date.fromisoformat(one['month'] + '-01'):%B}"
        shown.append(
            {
                "month": name if one["month"] != month else "",
                "name": one["name"],
                "colour": told.colour(one["revision"]),
                "rows": f"{one['rows']:,}",
                "log_loss": words.plain(one["log_loss"], 4),
                "roc_auc": words.plain(one["roc_auc"], 4),
                "bar": 100 * one["log_loss"] / top,
                "auc_bar": 100 * max(0.0, one["roc_auc"] - 0.5) / 0.5,
            }
        )
        month = one["month"]
    return shown
