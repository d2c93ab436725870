"""Jensen-Shannon distance: the square root of the information by which a row tells its side (Lin 1991).

    JS² = ½ Σ p log₂(p / r) + ½ Σ q log₂(q / r),   r = (p + q) / 2        in bits, within [0, 1]

Its square root is a metric (Endres & Schindelin 2003). With no drift JS² has the mean
(B − 1)(1/n + 1/m) / (8 ln 2), which is taken off: on 105 categories and 1,000 rows it reads 0.14 otherwise.
"""

from typing import Final

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.divergence import chance
from trimtab.sketch import Pair

NULL_SCALE: Final = float(8 * np.log(2))


def jensen_shannon(pair: Pair) -> Measured:
    """JS distance, base 2, in [0, 1], bias-corrected.

    >>> jensen_shannon(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair)
    if isinstance(cells, Measured):
        return cells
    raw = _squared(cells)
    squared = max(0.0, raw - cells.freedom * cells.noise / NULL_SCALE)
    return Measured(
        float(np.sqrt(squared)),
        chance(pair, lambda independent: NULL_SCALE * _squared(independent) / independent.noise),
        effect=float(np.sqrt(raw)),
    )


def _squared(cells: Coarse) -> float:
    q, p = cells.shares()
    r = (p + q) / 2
    return max(0.0, float(np.sum(p * np.log2(p / r)) + np.sum(q * np.log2(q / r))) / 2)
