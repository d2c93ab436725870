"""Population stability index: how far shares moved between cells fixed by the reference.

    PSI = Σᵢ (pᵢ − qᵢ) · ln(pᵢ / qᵢ)        p current, q reference, in nats

It is the symmetric Kullback-Leibler divergence (Jeffreys 1946). Half a row is added to each cell, so an empty
one stays finite. With no drift its mean is (B − 1)(1/n + 1/m), not 0: that bias is taken off.
PSI / (1/n + 1/m) is then χ² with B − 1 degrees of freedom (Yurdakul & Naranjo 2020).
"""

import numpy as np

from trimtab.drift.base import Measured
from trimtab.drift.cells import Coarse, coarse
from trimtab.drift.measures.divergence import chance
from trimtab.sketch import Pair


def psi(pair: Pair) -> Measured:
    """PSI in nats, ≥ 0, bias-corrected.

    >>> psi(Pair.of_counts([500, 500], [500, 500])).value
    0.0
    """
    cells = coarse(pair)
    if isinstance(cells, Measured):
        return cells
    raw = _raw(cells)
    return Measured(
        max(0.0, raw - cells.freedom * cells.noise),
        chance(pair, lambda independent: _raw(independent) / independent.noise),
        effect=raw,
    )


def _raw(cells: Coarse) -> float:
    q, p = cells.shares()
    return float(np.sum((p - q) * np.log(p / q)))
