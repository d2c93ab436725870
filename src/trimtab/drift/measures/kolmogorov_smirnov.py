"""Kolmogorov-Smirnov: the largest gap between two cumulative distributions.

    D = maxₓ |F(x) − G(x)|

Between two cells' ends the truth may exceed D by the mass of a cell that holds a range of values, at most the
larger of its two shares (verdicts.md 7). The p-value is Kolmogorov's limit (1933) at n·m/(n + m) independent
rows, conservative where values repeat (Smirnov 1948).
"""

import numpy as np
from scipy.special import kolmogorov

from trimtab.drift.base import Measured, too_few
from trimtab.sketch import Pair


def ks(pair: Pair) -> Measured:
    """KS distance in [0, 1], with the sketch's error bound.

    >>> ks(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    >>> ks(Pair.of_counts([100, 0], [60, 40])).value
    0.4
    """
    if few := too_few(pair):
        return few
    n, m = pair.reference_rows, pair.current_rows
    q, p = pair.reference / n, pair.current / m
    value = float(np.abs(np.cumsum(p) - np.cumsum(q)).max())
    error = float(np.maximum(q, p)[pair.loose].max(initial=0.0)) if len(pair.high) else 0.0
    chance = None
    if pair.rows_per_unit is not None:
        chance = float(kolmogorov(np.sqrt(n * m / (n + m) / pair.rows_per_unit) * value))
    return Measured(value, chance, effect=value, error=min(error, 1 - value))
