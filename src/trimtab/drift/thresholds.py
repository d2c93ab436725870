"""Thresholds learned from the reference's own restlessness (verdicts.md 4).

The reference is cut into disjoint windows of the monitor's length and each is measured against the rest:

    threshold = max(floor, mean + 3 sd, 99 % quantile where there are at least 100 windows)

At most 200 windows of a length are measured, evenly spread.
"""

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.drift.base import Measure
from trimtab.drift.measures import CATEGORY, NUMBER
from trimtab.drift.tally import Tally

MOST_WINDOWS: Final = 200
QUANTILE_FROM: Final = 100
MISSING_FLOOR: Final = 0.05
MISSING: Final = "missing_share"


def learned(held: Tally, windows: NDArray[np.int64], measures: Collection[str]) -> dict[str, float]:
    """A threshold by measure, and one for the move of the missing share.

    Args:
        measures: the names to learn; those of the other kind of column are passed over.
        windows: rows by window and cell, the last column the missing, shape (windows, cells + 1).
    """
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).astype(int))
    total = windows.sum(axis=0)
    every: Mapping[str, Measure] = CATEGORY if held.labels else NUMBER
    table = {name: measure for name, measure in every.items() if name in measures}
    values: dict[str, list[float]] = {name: [] for name in table}
    missing = []
    for number in chosen:
        inside, rest = windows[number], total - windows[number]
        if not inside.sum() or not rest.sum():
            continue
        missing.append(abs(inside[-1] / inside.sum() - rest[-1] / rest.sum()))
        pair = held.pair(rest[:-1], inside[:-1])
        for name, measure in table.items():
            value = measure.of(pair).value
            if value is not None:
                values[name].append(value)
    found = {name: threshold(values[name], measure.floor) for name, measure in table.items()}
    return found | {MISSING: threshold(missing, MISSING_FLOOR)}


def threshold(values: list[float], floor: float) -> float:
    """The bound that the reference's own windows ask for.

    >>> threshold([0.01, 0.01], floor=0.1)
    0.1
    """
    if len(values) < 2:
        return floor
    seen = np.array(values)
    bound = float(seen.mean() + 3 * seen.std(ddof=1))
    if len(seen) >= QUANTILE_FROM:
        bound = max(bound, float(np.quantile(seen, 0.99)))
    return max(floor, bound)
