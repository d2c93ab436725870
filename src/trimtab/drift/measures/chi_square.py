"""Chi-square test that two samples share one distribution over categories (Pearson 1900), as Cramér's V.

Pooled to at most 50 cells of at least five expected rows. For two samples V² = χ² / N; with no drift
its mean is (B − 1) / (N − 1), which is taken off (Bergsma 2013). The p-value counts independent rows, not rows.
"""

from typing import Final

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.divergence import chance
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
    statistic, rows = _statistic(cells), cells.reference.sum() + cells.current.sum()
    squared = max(0.0, statistic / rows - cells.freedom / (rows - 1))
    return Measured(float(np.sqrt(squared)), chance(pair, _statistic, MOST_CELLS), effect=statistic)


def _statistic(cells: Coarse) -> float:
    q, p = cells.reference, cells.current
    n, m = q.sum(), p.sum()
    return float(np.sum((p * np.sqrt(n / m) - q * np.sqrt(m / n)) ** 2 / (p + q)))
