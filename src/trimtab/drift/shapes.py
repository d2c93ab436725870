"""Distributions as shapes: what a page draws of a column's sketches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.sketch import CategorySketch, NumberSketch
from trimtab.sketch.pair import Floats

BARS: Final = 48
TAIL: Final = 0.005
CATEGORIES: Final = 12
LEVELS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Two distributions on shared bars of equal width.

    Attributes:
        low, high: the range that is drawn: both sides' P0.5 to P99.5.
        reference, current: share of finite rows a bar, shape (bars,).
    """

    low: float
    high: float
    reference: Floats
    current: Floats


@dataclass(frozen=True, slots=True)
class Share:
    """One category's share on both sides."""

    label: str
    reference: float
    current: float
    new: bool


def histogram(reference: NumberSketch, current: NumberSketch) -> Histogram | None:
    """Both as bars; None where one holds no finite number, or the range is too wide for a float."""
    if not reference.finite or not current.finite:
        return None
    ends = [quantiles(sketch, (TAIL, 1 - TAIL)) for sketch in (reference, current)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if not low < high:
        low, high = low - 0.5, high + 0.5
    if not np.isfinite(2 * (high - low)):
        return None
    atoms = reference.grid.atoms
    bars = BARS
    if 2 <= len(atoms) <= BARS and np.allclose(np.diff(atoms), atoms[1] - atoms[0]):
        step = atoms[1] - atoms[0]  # few, evenly spaced values: a bar each
        low, high = low - step / 2, high + step / 2
        bars = max(2, min(BARS, round((high - low) / step)))
    return Histogram(low, high, _bars(reference, low, high, bars), _bars(current, low, high, bars))


def _bars(sketch: NumberSketch, low: float, high: float, bars: int) -> Floats:
    """Rows by bar; a cell that spans several bars is spread over them evenly."""
    start, end = sketch.grid.spans(sketch.cells)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        a, b = ((np.clip(edge, low, high) - low) / (high - low) * bars for edge in (start, end))
        width = end - start
        inside = np.where(width > 0, (np.minimum(end, high) - np.maximum(start, low)) / width, 1.0)
    inside = np.where((end < low) | (start > high), 0.0, np.clip(inside, 0.0, 1.0))
    rows = sketch.counts * inside
    held = np.zeros(bars)
    first, last = np.minimum(a, bars - 1e-9).astype(int), np.minimum(b, bars - 1e-9).astype(int)
    alone = first == last
    held += np.bincount(first[alone], rows[alone], minlength=bars)
    for one in np.flatnonzero(~alone):
        edges = np.clip(np.arange(first[one], last[one] + 2), a[one], b[one])
        held[first[one] : last[one] + 1] += rows[one] * np.diff(edges) / (b[one] - a[one])
    return held / sketch.finite


def quantiles(sketch: NumberSketch, levels: Sequence[float]) -> list[float]:
    """Values below which these shares of the finite rows lie, linear within a cell."""
    start, end = sketch.grid.spans(sketch.cells)
    below = np.cumsum(sketch.counts)
    found = []
    for level in levels:
        wanted = level * sketch.finite
        at = min(int(np.searchsorted(below, wanted)), len(below) - 1)
        into = min(1.0, max(0.0, 1 - (below[at] - wanted) / sketch.counts[at]))
        found.append(float(start[at] * (1 - into) + end[at] * into))
    return found


def shares(reference: CategorySketch, current: CategorySketch) -> tuple[list[Share], Share | None]:
    """The categories of most weight on either side, and the rest together."""
    n, m = max(1, reference.present), max(1, current.present)
    every = dict.fromkeys([*reference.counts, *current.counts])
    held = [
        Share(
            value,
            reference.counts.get(value, 0) / n,
            current.counts.get(value, 0) / m,
            value not in reference.counts,
        )
        for value in every
    ]
    held.sort(key=lambda one: -max(one.reference, one.current))
    kept = held[:CATEGORIES]
    if len(held) <= CATEGORIES:
        return kept, None
    count = max(reference.distinct, current.distinct, len(every)) - len(kept)
    rest = Share(
        f"{count:,} others",
        1 - sum(one.reference for one in kept),
        1 - sum(one.current for one in kept),
        False,
    )
    return kept, rest
