"""Chi-square test that two samples share one distribution over categories (Pearson 1900), as Cramér's V.

Pooled to at most 50 cells of at least five expected rows. For two samples V² = χ² / N; with no drift
its mean is (B − 1) / (N − 1), which is taken off (Bergsma 2013). The p-value counts independent rows, not rows.
"""

from typing import Final

import numpy as np
from scipy.special import chdtrc

from trimtab.drift.base import Measured
from trimtab.drift.cells import coarse
from trimtab.sketch import Pair

MOST_CELLS: Final = 50


def chi_square(pair: Pair) -> Measured:
    """Cramér's V in [0, 1], bias-corrected; `effect` is the χ² statistic at the rows as counted.

    >>> chi_square(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair, MOST_CELLS)
    if isinstance(cells, Measured):
        return cells
    q, p = cells.reference, cells.current
    n, m = q.sum(), p.sum()
    statistic = float(np.sum((p * np.sqrt(n / m) - q * np.sqrt(m / n)) ** 2 / (p + q)))
    chance = None
    if cells.rows_per_unit is not None:
        chance = float(chdtrc(cells.freedom, statistic / cells.rows_per_unit)) if cells.freedom else 1.0
    squared = max(0.0, statistic / (n + m) - cells.freedom / (n + m - 1))
    return Measured(float(np.sqrt(squared)), chance, effect=statistic)
