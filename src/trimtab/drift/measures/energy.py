"""Energy distance: how much farther apart rows of two sides are than rows of one (Székely & Rizzo 2013).

    E² = 2 ∫ (F(x) − G(x))² dx        in spreads of the reference, values clamped as for Wasserstein

The value is E, a metric. A p-value comes from permuting blocks (`trimtab.drift.permutation`).
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.measures.clamped import clamped
from trimtab.sketch import Pair


def energy(pair: Pair) -> Measured:
    """Energy distance in square roots of reference spreads, ≥ 0.

    >>> energy(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    held = clamped(pair)
    if isinstance(held, Measured):
        return held
    gap, width = held.gaps()
    return Measured(float(np.sqrt(2 * np.sum(gap**2 * width))), tail=held.tail)
