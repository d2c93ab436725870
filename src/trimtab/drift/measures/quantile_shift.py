"""The largest move of a decile, in spreads (interquartile ranges) of the reference."""

from typing import Final

import numpy as np

from trimtab.drift.base import Measured, too_few, undefined
from trimtab.sketch import Pair

LEVELS: Final = np.linspace(0.1, 0.9, 9)


def quantile_shift(pair: Pair) -> Measured:
    """Largest |Q current − Q reference| over the nine deciles, in reference spreads; `effect` keeps its sign.

    >>> quantile_shift(Pair.of_counts([50, 50], [50, 50])).value
    0.0
    """
    if few := too_few(pair):
        return few
    at = pair.middle
    sides = []
    for counts in (pair.reference, pair.current):
        below = np.cumsum(counts)
        sides.append(at[np.searchsorted(below, LEVELS * below[-1])])
    with np.errstate(invalid="ignore"):
        moves = np.where(sides[0] == sides[1], 0.0, sides[1] - sides[0])
    if not np.isfinite(moves).all():
        return undefined("a decile is infinite")
    worst = float(moves[np.argmax(np.abs(moves))])
    return Measured(abs(worst), effect=worst)
