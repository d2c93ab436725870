"""The chance of a divergence: those used here are, near no drift, a multiple of one χ² variable.

    PSI ≈ 8 H² ≈ 8 ln 2 · JS² ≈ 2 KL ≈ (1/n + 1/m) · χ²(B − 1)

(Pardo 2006, Statistical Inference Based on Divergence Measures, chapter 4.) Rows are first thinned to independent
ones, so that cells are pooled, and halves of a row added, by what the evidence is worth.
"""

from collections.abc import Callable

from scipy.special import chdtrc

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.sketch import Pair


def chance(pair: Pair, statistic: Callable[[Coarse], float], most: int | None = None) -> float | None:
    """P-value of a statistic that is χ²(B − 1) on independent rows with no drift.

    Returns:
        None where the worth of a row is not known; 1 where too few independent rows stand behind.
    """
    if pair.rows_per_unit is None:
        return None
    cells = coarse(pair.thinned(), most)
    if isinstance(cells, Measured) or cells.freedom == 0:
        return 1.0
    return float(chdtrc(cells.freedom, max(0.0, statistic(cells))))
