"""Total variation: the share of rows that changed category.

    TV = ½ Σᵢ |pᵢ − qᵢ|

On pooled categories; sampling alone brings about √((B − 1)(1/n + 1/m) / 2π), which stays in the value.
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import coarse
from trimtab.sketch import Pair


def total_variation(pair: Pair) -> Measured:
    """Total variation in [0, 1].

    >>> total_variation(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair)
    if isinstance(cells, Measured):
        return cells
    q, p = cells.reference / cells.reference.sum(), cells.current / cells.current.sum()
    return Measured(float(np.abs(p - q).sum()) / 2)
