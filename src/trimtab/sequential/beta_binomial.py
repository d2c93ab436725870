"""One-sided beta-binomial mixture: is a coin's chance of success above p, or below it?

After n tosses with s successes, against "chance ≤ p" the likelihood ratio to p is averaged over chances above
p with the weights of a Beta(rp, r(1 − p)) cut there (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon 2021):

    log E = log B(s + rp, n − s + r(1−p); (p, 1)) − log B(rp, r(1−p); (p, 1)) − s log p − (n − s) log(1 − p)

with B(·; (p, 1)) the beta integral over (p, 1). Only counts matter, so evidence adds.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaln

PRIOR_TOSSES = 30.0
"""r: the mixture is tightest near n ≈ 4r."""


def log_e_above(
    successes: ArrayLike, n: ArrayLike, p: float, tosses: float = PRIOR_TOSSES
) -> NDArray[np.float64]:
    """Natural log of the e-value against "chance ≤ p"; arrays of counts broadcast.

    >>> float(log_e_above(0, 0, 0.5))
    0.0
    >>> bool(log_e_above(90, 100, 0.5) > 20), bool(log_e_above(10, 100, 0.5) < 0)
    (True, True)
    """
    s, n = np.asarray(successes, float), np.asarray(n, float)
    a, b = tosses * p, tosses * (1 - p)
    with np.errstate(divide="ignore"):
        tail = np.log(betaincc(a + s, b + n - s, p)) - np.log(betaincc(a, b, p))
    likelihood = s * log(p) + (n - s) * log(1 - p)
    return np.asarray(tail + betaln(a + s, b + n - s) - betaln(a, b) - likelihood)


def log_e_below(
    successes: ArrayLike, n: ArrayLike, p: float, tosses: float = PRIOR_TOSSES
) -> NDArray[np.float64]:
    """Natural log of the e-value against "chance ≥ p".

    >>> bool(log_e_below(10, 100, 0.5) > 20)
    True
    """
    s, n = np.asarray(successes, float), np.asarray(n, float)
    a, b = tosses * p, tosses * (1 - p)
    with np.errstate(divide="ignore"):
        tail = np.log(betainc(a + s, b + n - s, p)) - np.log(betainc(a, b, p))
    likelihood = s * log(p) + (n - s) * log(1 - p)
    return np.asarray(tail + betaln(a + s, b + n - s) - betaln(a, b) - likelihood)
