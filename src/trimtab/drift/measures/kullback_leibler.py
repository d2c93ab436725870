"""Kullback-Leibler divergence of the current rows from the reference (Kullback & Leibler 1951).

    KL = Σᵢ pᵢ ln(pᵢ / qᵢ)        p current, q reference, in nats; not symmetric

Half a row is added to each cell. With no drift its mean is (B − 1)(1/n + 1/m) / 2, which is taken off.
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import coarse
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
    q, p = cells.shares()
    raw = float(np.sum(p * np.log(p / q)))
    return Measured(max(0.0, raw - cells.freedom * cells.noise / 2), chance(cells, 2 * raw), effect=raw)
