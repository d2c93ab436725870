"""The year at a glance: alarms, runs, copies, verdicts, and who answered which share of the requests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from trimtab.local.demo.report.axes import TimeAxis, ValueAxis, line, ribbon, stairs
from trimtab.local.demo.report.chapters import Chapter
from trimtab.local.demo.report.told import Told

WIDTH: Final = 1072
LEFT: Final = 92
LANES: Final = {"alarm": 18, "run": 50, "shadow": 82, "verdict": 114}
TOP, BOTTOM = 142, 292
APART: Final = 23.0
"""Least distance between two marks of one lane."""
ROOM: Final = 34.0
"""Width below which a revision's name does not fit into its area."""


@dataclass(frozen=True, slots=True)
class Area:
    """One revision's share of the traffic."""

    name: str
    colour: str
    path: str
    edge: str
    labels: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a lane."""

    x: float
    width: float
    y: float
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A numbered mark of a decision: `x` where it is drawn, `at` when it was."""

    number: int
    lane: str
    shape: str
    tone: str
    x: float
    at: float
    y: float
    text: str


def timeline(told: Told, chapters: Sequence[Chapter]) -> dict[str, object]:
    """What the template draws."""
    axis = TimeAxis(told.start, told.end, told.zone, LEFT, WIDTH - 8)
    shares = ValueAxis(0, 100, TOP, BOTTOM)
    return {
        "width": WIDTH,
        "height": BOTTOM + 26,
        "left": LEFT,
        "right": axis.right,
        "top": TOP,
        "bottom": BOTTOM,
        "lanes": LANES,
        "months": axis.months(),
        "percents": [(shares.y(value), f"{value} %") for value in (0, 50, 100)],
        "areas": list(areas(told, axis, shares)),
        "copies": [
            Bar(
                axis.x(one.start),
                axis.x(one.end) - axis.x(one.start),
                LANES["shadow"],
                told.colour(one.mirror),
                told.name(one.mirror),
            )
            for one in told.splits
            if one.mirror
        ],
        "episodes": episodes(told, axis),
        "marks": marks(chapters, axis),
        "gaps": [(axis.x(start), axis.x(end) - axis.x(start)) for start, end in told.gaps()],
    }


def areas(told: Told, axis: TimeAxis, shares: ValueAxis) -> Iterable[Area]:
    """Weights stacked in the order of versions; each path holds its value until the next change."""
    served = [name for name in told.names if any(split.weights.get(name) for split in told.splits)]
    below = [0] * len(told.splits)
    xs = [axis.x(split.start) for split in told.splits]
    end = axis.x(told.end)
    for revision in served:
        above = [low + split.weights.get(revision, 0) for low, split in zip(below, told.splits, strict=True)]
        upper = stairs([(x, shares.y(share)) for x, share in zip(xs, above, strict=True)], end)
        lower = stairs([(x, shares.y(share)) for x, share in zip(xs, below, strict=True)], end)
        labels = [
            ((axis.x(start) + axis.x(end)) / 2, shares.y(50) + 5)
            for start, end in told.alone(revision)
            if axis.x(end) - axis.x(start) > ROOM
        ]
        yield Area(told.name(revision), told.colour(revision), ribbon(upper, lower), line(upper), labels)
        below = above


def episodes(told: Told, axis: TimeAxis) -> list[Bar]:
    """From each alarm to the promotion that closed it."""
    closed = {one.bounds.get("id"): one.at for one in told.of_kind("EpisodeClosed")}
    found = []
    for one in told.of_kind("PerformanceDropped", "Drifted"):
        until = closed.get(one.bounds.get("episode"), told.end)
        text = "performance" if one.kind == "PerformanceDropped" else "inputs"
        found.append(Bar(axis.x(one.at), axis.x(until) - axis.x(one.at), LANES["alarm"], "var(--bad)", text))
    return found


SHAPES: Final = {"alarm": "triangle", "run": "circle", "verdict": "diamond"}


def marks(chapters: Sequence[Chapter], axis: TimeAxis) -> list[Mark]:
    """One numbered mark a decision; those too near to their neighbour move right, their stem stays."""
    last: dict[str, float] = {}
    found = []
    for chapter in chapters:
        at = axis.x(chapter.at)
        x = max(at, last.get(chapter.lane, -APART) + APART)
        last[chapter.lane] = x
        found.append(
            Mark(
                chapter.number,
                chapter.lane,
                SHAPES[chapter.lane],
                chapter.tone,
                x,
                at,
                LANES[chapter.lane],
                f"{chapter.number}. {chapter.date}: {chapter.title}",
            )
        )
    return found
