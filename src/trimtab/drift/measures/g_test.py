"""G-test: the likelihood ratio that two samples share one distribution over categories (Wilks 1938).

    G = 2 Σ O ln(O / E)        over both sides' cells, ~ χ²(B − 1) with no drift

Pooled as for chi-square. The value is √((G − (B − 1)) / N), the root of twice the information that a row
holds about its side, which does not grow with the number of rows.
"""

import numpy as np
from scipy.special import xlogy

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.chi_square import MOST_CELLS
from trimtab.drift.measures.divergence import chance
from trimtab.sketch import Pair


def g_test(pair: Pair) -> Measured:
    """√((G − (B − 1)) / N), ≥ 0; `effect` is G at the rows as counted.

    >>> g_test(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair, MOST_CELLS)
    if isinstance(cells, Measured):
        return cells
    g, rows = _statistic(cells), cells.reference.sum() + cells.current.sum()
    value = float(np.sqrt(max(0.0, g - cells.freedom) / rows))
    return Measured(value, chance(pair, _statistic, MOST_CELLS), effect=g)


def _statistic(cells: Coarse) -> float:
    q, p = cells.reference, cells.current
    n, m = q.sum(), p.sum()
    both = (p + q) / (n + m)
    return max(0.0, 2 * float(np.sum(xlogy(q, q / (both * n)) + xlogy(p, p / (both * m)))))
