"""Anderson-Darling: the gap between two cumulative distributions, weighted to see the tails.

The two-sample statistic for tied values, A²akN (Scholz & Stephens 1987, equation 7), times N / (n·m), so that
it does not grow with the number of rows:

    value → ∫ (F − G)² / (H (1 − H)) dH,   H the pooled distribution

Its law under dependence is not known: a p-value comes from permuting blocks (`trimtab.drift.permutation`).
"""

import numpy as np

from trimtab.drift.base import Measured, too_few
from trimtab.sketch import Pair


def anderson_darling(pair: Pair) -> Measured:
    """Anderson-Darling distance, ≥ 0; about (1/n + 1/m) with no drift.

    >>> anderson_darling(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    if few := too_few(pair):
        return few
    n, m = pair.reference_rows, pair.current_rows
    total = n + m
    here = pair.reference + pair.current
    middle = np.cumsum(here) - here / 2
    weight = middle * (total - middle) - total * here / 4
    held = weight > 0
    if not held.any():
        return Measured(0.0)
    square = 0.0
    for rows, side in ((n, pair.reference), (m, pair.current)):
        gap = total * (np.cumsum(side) - side / 2) - rows * middle
        square += float(np.sum(here[held] / total * gap[held] ** 2 / weight[held])) / rows
    return Measured((total - 1) / total * square * total / (n * m))
