"""A search as drawings: each trial as a line through its parameters (Inselberg 1985), and the course of the best."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.drift.figures import number
from trimtab.ports.studies import Tried
from trimtab.quality.metrics import METRICS

WIDTH: Final = 960.0
HEIGHT: Final = 260.0
MARGIN: Final = 60.0
TOP: Final = 34.0
LOG_RATIO: Final = 20.0
"""A parameter whose largest value is so many times its least is drawn on a log scale."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter, or the metric, from bottom to top.

    Attributes:
        marks: (y, text).
    """

    name: str
    x: float
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One trial.

    Attributes:
        rank: 0 for the best, 1 for the worst.
    """

    path: str
    title: str
    rank: float
    best: bool


@dataclass(frozen=True, slots=True)
class Parallel:
    """The complete trials of one family over its parameters and the metric."""

    family: str
    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]


def parallel(family: str, metric: str, tried: Sequence[Tried], best: int) -> Parallel | None:
    """None with fewer than two complete trials."""
    shown = [
        one for one in tried if one.candidate and one.candidate.family == family and one.value is not None
    ]
    if len(shown) < 2:
        return None
    names = list(shown[0].candidate.params) if shown[0].candidate else []
    columns = [[one.candidate.params[name] for one in shown if one.candidate] for name in names]
    columns.append([one.value for one in shown])
    scales = [_scale(column) for column in columns]
    xs = np.linspace(MARGIN, WIDTH - MARGIN, len(columns)).tolist()
    axes = tuple(
        Axis(name, x, scale.marks) for name, x, scale in zip([*names, metric], xs, scales, strict=True)
    )
    sign = -1.0 if METRICS[metric].greater_is_better else 1.0
    ranks = np.argsort(np.argsort([sign * (one.value or 0.0) for one in shown])) / (len(shown) - 1)
    lines = [
        Line(
            _path(xs, [scale.ys[i] for scale in scales]), _said(one, metric), float(rank), one.number == best
        )
        for i, (one, rank) in enumerate(zip(shown, ranks, strict=True))
    ]
    return Parallel(family, axes, tuple(sorted(lines, key=lambda line: -line.rank)))


@dataclass(frozen=True, slots=True)
class Course:
    """Trials from left to right, and the best so far."""

    dots: tuple[tuple[float, float, str], ...]
    best: str
    marks: tuple[tuple[float, str], ...]


def course(metric: str, tried: Sequence[Tried]) -> Course | None:
    """None with fewer than two complete trials."""
    shown = [one for one in tried if one.value is not None]
    if len(shown) < 2:
        return None
    scale = _scale([one.value for one in shown])
    last = max(one.number for one in tried) or 1
    xs = [MARGIN + (WIDTH - 2 * MARGIN) * one.number / last for one in shown]
    keep = np.minimum if not METRICS[metric].greater_is_better else np.maximum
    so_far = keep.accumulate(np.asarray([one.value for one in shown], np.float64))
    ys = [scale.ys[[one.value for one in shown].index(value)] for value in so_far.tolist()]
    stairs = [(xs[0], ys[0])]
    for x, y in zip(xs[1:], ys[1:], strict=True):
        stairs += [(x, stairs[-1][1]), (x, y)]
    return Course(
        tuple((x, y, _said(one, metric)) for x, y, one in zip(xs, scale.ys, shown, strict=True)),
        _path([x for x, _ in stairs], [y for _, y in stairs]),
        scale.marks,
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    ys: tuple[float, ...]
    marks: tuple[tuple[float, str], ...]


def _scale(values: Sequence[Any]) -> _Scale:
    """Where values stand between TOP and HEIGHT: numbers by size, all else evenly, in order of their text."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        low, high = float(min(values)), float(max(values))
        log = low > 0 and high / low > LOG_RATIO
        at = [float(np.log(value)) if log else float(value) for value in values]
        begin, end = min(at), max(at)
        middle = float(np.exp((begin + end) / 2)) if log else (low + high) / 2
        marks = {0.0: low, 0.5: middle, 1.0: high} if high > low else {0.5: low}
        ys = [_y((one - begin) / (end - begin) if end > begin else 0.5) for one in at]
        return _Scale(tuple(ys), tuple((_y(share), number(value, 4)) for share, value in marks.items()))
    texts = sorted({json.dumps(value) for value in values})
    places = {text: i / max(1, len(texts) - 1) for i, text in enumerate(texts)}
    ys = [_y(places[json.dumps(value)]) for value in values]
    return _Scale(tuple(ys), tuple((_y(share), text.strip('"')) for text, share in places.items()))


def _y(share: float) -> float:
    return HEIGHT - share * (HEIGHT - TOP)


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))


def _said(one: Tried, metric: str) -> str:
    params = one.candidate.params if one.candidate else {}
    words = [
        f"{name} {number(value, 4) if isinstance(value, float) else value}" for name, value in params.items()
    ]
    return f"trial {one.number}: {metric} {one.value:.5f}" + "".join(f", {word}" for word in words)
