"""Kullback-Leibler divergence of the current rows from the reference (Kullback & Leibler 1951).

    KL = Σᵢ pᵢ ln(pᵢ / qᵢ)        p current, q reference, in nats; not symmetric

Half a row is added to each cell. With no drift its mean is (B − 1)(1/n + 1/m) / 2, which is taken off.
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.divergence import chance
from trimtab.sketch import Pair


def kullback_leibler(pair: Pair) -> Measured:
    """KL(current ‖ reference) in nats, ≥ 0, bias-corrected.

    >>> kullback_leibler(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair)
    if isinstance(cells, Measured):
        return cells
    raw = _raw(cells)
    return Measured(
        max(0.0, raw - cells.freedom * cells.noise / 2),
        chance(pair, lambda independent: 2 * _raw(independent) / independent.noise),
        effect=raw,
    )


def _raw(cells: Coarse) -> float:
    q, p = cells.shares()
    return float(np.sum(p * np.log(p / q)))
