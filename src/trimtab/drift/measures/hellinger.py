"""Hellinger distance: between the square roots of the shares (Hellinger 1909).

    H² = 1 − Σᵢ √(pᵢ qᵢ)

With no drift H² has the mean (B − 1)(1/n + 1/m) / 8, which is taken off.
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.divergence import chance
from trimtab.sketch import Pair


def hellinger(pair: Pair) -> Measured:
    """Hellinger distance in [0, 1], bias-corrected.

    >>> hellinger(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair)
    if isinstance(cells, Measured):
        return cells
    raw = _squared(cells)
    squared = max(0.0, raw - cells.freedom * cells.noise / 8)
    return Measured(
        float(np.sqrt(squared)),
        chance(pair, lambda independent: 8 * _squared(independent) / independent.noise),
        effect=float(np.sqrt(raw)),
    )


def _squared(cells: Coarse) -> float:
    q, p = cells.shares()
    return max(0.0, 1 - float(np.sum(np.sqrt(p * q))))
