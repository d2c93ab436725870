"""Mean, variance and kurtosis of shares at positions."""

import numpy as np

from trimtab.sketch.pair import Floats


def moments(at: Floats, shares: Floats) -> tuple[float, float, float]:
    """Mean, variance, and fourth central moment over the squared variance (0 where the variance is 0)."""
    mean = float(np.sum(shares * at))
    squared = (at - mean) ** 2
    variance = float(np.sum(shares * squared))
    return mean, variance, float(np.sum(shares * squared**2)) / variance**2 if variance > 0 else 0.0
