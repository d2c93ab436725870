"""Shift of the mean, in standard deviations of the reference (Cohen's d), values clamped to P0.5 to P99.5.

The p-value is the normal one of Welch's statistic (1947) at the independent rows that stand behind.
"""

import numpy as np
from scipy.special import ndtr

from trimtab.drift.base import Measured, undefined
from trimtab.drift.measures.clamped import clamped
from trimtab.drift.measures.moments import moments
from trimtab.sketch import Pair


def mean_shift(pair: Pair) -> Measured:
    """|mean current − mean reference| / standard deviation of the reference; `effect` keeps the sign.

    >>> mean_shift(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    held = clamped(pair)
    if isinstance(held, Measured):
        return held
    mean_q, var_q, _ = moments(held.at, held.reference)
    mean_p, var_p, _ = moments(held.at, held.current)
    if var_q == 0:
        return undefined("the reference is constant")
    shift = (mean_p - mean_q) / np.sqrt(var_q)
    chance = None
    if pair.rows_per_unit is not None:
        se = np.sqrt((var_q / pair.reference_rows + var_p / pair.current_rows) * pair.rows_per_unit)
        chance = float(2 * ndtr(-abs(mean_p - mean_q) / se))
    return Measured(abs(float(shift)), chance, effect=float(shift), tail=held.tail)
