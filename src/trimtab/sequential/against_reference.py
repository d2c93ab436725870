"""Has a mean over blocks risen above a reference that is itself only known with an error?

The half-width of the t-mixture's bound and the reference's standard error add in quadrature:

    lower = z̄ − sqrt(h² + se²),    z = block mean − reference mean

With the reference's error left out the false-alarm rate has no bound; with × 1.645 the flights' alarm never
rings in 120 days (docs/verdicts.md).
"""

from __future__ import annotations

from math import hypot, isfinite

from trimtab.sequential.t_mixture import Blocks, bounds
from trimtab.sequential.verdict import Bounds


def bounds_above(
    blocks: Blocks, reference_mean: float, reference_error: float, alpha_lower: float, alpha_upper: float
) -> Bounds:
    """The confidence sequence of (mean a row − reference mean); infinite on too few blocks.

    >>> month = Blocks.of([(10.0, 100.0), (14.0, 100.0), (11.0, 100.0)] * 4)
    >>> bounds_above(month, 0.0, 0.0, 0.05, 0.05).lower > bounds_above(month, 0.0, 0.05, 0.05, 0.05).lower
    True
    """
    found = bounds(blocks, alpha_lower, alpha_upper)
    if not (isfinite(found.lower) and isfinite(found.upper)):
        return Bounds()
    mean = blocks.mean
    return Bounds(
        mean - reference_mean - hypot(mean - found.lower, reference_error),
        mean - reference_mean + hypot(found.upper - mean, reference_error),
    )
