"""Wasserstein-1 distance: the work of moving one distribution onto the other (Vaserstein 1969).

    W₁ = ∫ |F(x) − G(x)| dx        in spreads (interquartile ranges) of the reference

Values are clamped to the reference's P0.5 to P99.5; the share of current rows beyond stands beside, as tail.
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.measures.clamped import clamped
from trimtab.sketch import Pair


def wasserstein(pair: Pair) -> Measured:
    """W₁ in reference spreads, ≥ 0.

    >>> wasserstein(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    held = clamped(pair)
    if isinstance(held, Measured):
        return held
    gap, width = held.gaps()
    shift = float(np.sum((held.current - held.reference) * held.at))
    return Measured(float(np.sum(np.abs(gap) * width)), effect=shift, tail=held.tail)
