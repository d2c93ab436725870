"""The chance of a divergence: those used here are, near no drift, a multiple of one χ² variable.

    PSI ≈ 8 H² ≈ 8 ln 2 · JS² ≈ 2 KL ≈ (1/n + 1/m) · χ²(B − 1)

(Pardo 2006, Statistical Inference Based on Divergence Measures, chapter 4.)
"""

from scipy.special import chdtrc

from trimtab.drift.cells import Coarse


def chance(cells: Coarse, divergence: float) -> float | None:
    """P-value of a divergence on PSI's scale; None where the worth of a row is unknown."""
    if cells.rows_per_unit is None:
        return None
    if cells.freedom == 0:
        return 1.0
    return float(chdtrc(cells.freedom, max(0.0, divergence) / (cells.noise * cells.rows_per_unit)))
