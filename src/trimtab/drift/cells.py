"""Cells made coarse enough for counting statistics: reference deciles for numbers, pooled categories.

A divergence of raw cells measures mostly how empty they are. Numbers go into ten bins of equal reference
mass. Categories of fewer than five expected rows are pooled into one, and so are the rarest beyond one
category in twenty rows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.drift.base import Measured, undefined
from trimtab.sketch import Pair
from trimtab.sketch.pair import Floats

BINS: Final = 10
EXPECTED_ROWS: Final = 5
ROWS_PER_CELL: Final = 20
SMOOTHING: Final = 0.5


@dataclass(frozen=True, slots=True)
class Coarse:
    """Rows by coarse cell.

    Attributes:
        reference, current: rows, shape (cells,), cells ≥ 1.
    """

    reference: Floats
    current: Floats

    @property
    def noise(self) -> float:
        """1/n + 1/m: the variance that sampling alone brings."""
        return float(1 / self.reference.sum() + 1 / self.current.sum())

    @property
    def freedom(self) -> int:
        """Degrees of freedom: cells − 1."""
        return len(self.reference) - 1

    def shares(self) -> tuple[Floats, Floats]:
        """Reference and current shares with half a row added to each cell, so that none is empty."""
        q, p = self.reference + SMOOTHING, self.current + SMOOTHING
        return q / q.sum(), p / p.sum()


def coarse(pair: Pair, most: int | None = None) -> Coarse | Measured:
    """The pair on coarse cells, at most `most` of them; undefined where one side has too few rows for two."""
    n, m = pair.reference_rows, pair.current_rows
    allowed = int(min(n, m) // ROWS_PER_CELL)
    if most is not None:
        allowed = min(allowed, most)
    if allowed < 2:
        return undefined(f"{min(n, m):.0f} rows, fewer than {ROWS_PER_CELL} a cell for two cells")
    if pair.labels:
        q, p = _pooled(pair, allowed)
    else:
        q, p = _binned(pair, min(BINS, allowed))
    return Coarse(q, p)


def _binned(pair: Pair, bins: int) -> tuple[Floats, Floats]:
    below = np.cumsum(pair.reference)
    middle = (below - pair.reference / 2) / below[-1]
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)
    _, bin_of = np.unique(bin_of, return_inverse=True)
    q, p = np.bincount(bin_of, pair.reference), np.bincount(bin_of, pair.current)
    return q.astype(np.float64), p.astype(np.float64)


def _pooled(pair: Pair, allowed: int) -> tuple[Floats, Floats]:
    q, p = pair.reference, pair.current
    total = q + p
    expected = total / total.sum() * min(q.sum(), p.sum())
    order = np.argsort(-total, kind="stable")
    kept = order[: allowed - 1]
    kept = kept[expected[kept] >= EXPECTED_ROWS]
    pooled_q, pooled_p = q.sum() - q[kept].sum(), p.sum() - p[kept].sum()
    if pooled_q + pooled_p == 0:
        return q[kept], p[kept]
    return np.append(q[kept], pooled_q), np.append(p[kept], pooled_p)
