"""Change of the standard deviation: |ln(σ current / σ reference)|, values clamped to P0.5 to P99.5.

The variance of ln σ̂ is about (κ − 1) / 4n, κ the kurtosis (Bonett 2006); the p-value is the normal one.
"""

import numpy as np
from scipy.special import ndtr

from trimtab.drift.base import Measured, undefined
from trimtab.drift.measures.clamped import clamped
from trimtab.drift.measures.moments import moments
from trimtab.sketch import Pair


def std_shift(pair: Pair) -> Measured:
    """Absolute log ratio of standard deviations; `effect` keeps the sign, > 0 where the spread grew.

    >>> std_shift(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    held = clamped(pair)
    if isinstance(held, Measured):
        return held
    _, var_q, kurt_q = moments(held.at, held.reference)
    _, var_p, kurt_p = moments(held.at, held.current)
    if var_q == 0 or var_p == 0:
        return undefined("one side is constant")
    ratio = float(np.log(var_p / var_q) / 2)
    chance = None
    if pair.rows_per_unit is not None:
        variance = ((kurt_q - 1) / pair.reference_rows + (kurt_p - 1) / pair.current_rows) / 4
        se = np.sqrt(variance * pair.rows_per_unit)
        chance = float(2 * ndtr(-abs(ratio) / se)) if se > 0 else float(ratio == 0)
    return Measured(abs(ratio), chance, effect=ratio, tail=held.tail)
