"""Has a mean over blocks risen above a reference that is itself only known with an error?

The half-width h of the t-mixture's bound and twice the reference's standard error add in quadrature:

    lower = z̄ − sqrt(h² + (2 se)²),    z = block mean − reference mean

Over a long watch h shrinks and the reference's own error decides: counted once, it lets 12–20 % of 90-day watches ring
falsely at α = 0.05 on the flights; counted twice, 2–4 % (3–8 % where days come in runs), and the true alarm rings
on the same day (docs/verdicts.md).
"""

from __future__ import annotations

from math import hypot, isfinite

from trimtab.sequential.t_mixture import Blocks, bounds
from trimtab.sequential.verdict import Bounds

REFERENCE_ERRORS = 2.0
"""How many standard errors of the reference are counted."""


def bounds_above(
    blocks: Blocks, reference_mean: float, reference_error: float, alpha_lower: float, alpha_upper: float
) -> Bounds:
    """The confidence sequence of (mean a row − reference mean); infinite on too few blocks.

    Args:
        reference_error: standard error of the reference's mean.

    >>> month = Blocks.of([(10.0, 100.0), (14.0, 100.0), (11.0, 100.0)] * 4)
    >>> bounds_above(month, 0.0, 0.0, 0.05, 0.05).lower > bounds_above(month, 0.0, 0.05, 0.05, 0.05).lower
    True
    """
    found = bounds(blocks, alpha_lower, alpha_upper)
    if not (isfinite(found.lower) and isfinite(found.upper)):
        return Bounds()
    mean, error = blocks.mean, REFERENCE_ERRORS * reference_error
    return Bounds(
        mean - reference_mean - hypot(mean - found.lower, error),
        mean - reference_mean + hypot(found.upper - mean, error),
    )
