"""Confidence sequences for a latency quantile from a histogram, and for the ratio of two arms' quantiles.

A value x is implausible as the q-quantile when too many requests lie at or under it (then the quantile is
lower) or too few (then it is higher): a coin with chance q, tested at every edge of the histogram by the one-
sided beta-binomial mixture (Howard & Ramdas 2022, section 3). The histogram's resolution is added to the
interval, never hidden in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from trimtab.sequential.beta_binomial import log_e_above, log_e_below
from trimtab.sequential.verdict import Bounds

PRIOR_REQUESTS_IN_TAIL = 20.0
"""The mixture's strength in requests beyond the quantile: r(1 − q)."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Counts of answered requests by duration.

    Attributes:
        edges_ms: ascending upper edges, milliseconds, shape (buckets,); the last may be inf.
        counts: requests a bucket, shape (buckets,).
    """

    edges_ms: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, edges_ms: Sequence[float], counts: Sequence[int]) -> Durations:
        """Raises ValueError if the shapes differ or the edges do not ascend."""
        edges, held = np.asarray(edges_ms, np.float64), np.asarray(counts, np.int64)
        if edges.shape != held.shape or edges.ndim != 1 or np.any(np.diff(edges) <= 0):
            raise ValueError("a histogram has as many ascending edges as counts")
        return cls(edges, held)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def quantile(self, q: float) -> float:
        """Upper edge of the bucket that holds the q-quantile, milliseconds; NaN without requests.

        >>> Durations.of([1.0, 2.0, 4.0], [10, 80, 10]).quantile(0.95)
        4.0
        """
        if self.n == 0:
            return float("nan")
        return float(self.edges_ms[np.searchsorted(np.cumsum(self.counts), q * self.n)])


def bounds(durations: Durations, q: float, alpha_lower: float, alpha_upper: float) -> Bounds:
    """The confidence sequence of one arm's q-quantile, milliseconds, [0, inf] on too few requests.

    >>> few = Durations.of([1.0, 2.0], [5, 5])
    >>> bounds(few, 0.95, 0.05, 0.05)
    Bounds(lower=0.0, upper=inf)
    """
    below = np.cumsum(durations.counts)
    tosses = PRIOR_REQUESTS_IN_TAIL / (1 - q)
    too_many = log_e_above(below, durations.n, q, tosses) >= log(1 / alpha_upper)
    too_few = log_e_below(below, durations.n, q, tosses) >= log(1 / alpha_lower)
    upper = float(durations.edges_ms[np.argmax(too_many)]) if too_many.any() else inf
    # Every edge up to the last implausible one lies under the quantile.
    lower = float(durations.edges_ms[np.flatnonzero(too_few)[-1]]) if too_few.any() else 0.0
    return Bounds(lower, upper)


def ratio_bounds(
    candidate: Durations, stable: Durations, q: float, alpha_lower: float, alpha_upper: float
) -> Bounds:
    """The confidence sequence of candidate's q-quantile over stable's, less 1 (0.2: 20 % slower).

    Each side spends half of its alpha on either arm.

    >>> edges = [1.02**k for k in range(200)]
    >>> arm = Durations.of(edges, [50] * 200)
    >>> found = ratio_bounds(arm, arm, 0.95, 0.01, 0.05)
    >>> found.lower < 0 < found.upper < 0.2
    True
    """
    slow = bounds(candidate, q, alpha_lower / 2, alpha_upper / 2)
    fast = bounds(stable, q, alpha_upper / 2, alpha_lower / 2)
    lower = slow.lower / fast.upper - 1 if fast.upper > 0 else -1.0
    upper = slow.upper / fast.lower - 1 if fast.lower > 0 else inf
    return Bounds(lower, upper)


def least_requests(q: float, alpha: float) -> int:
    """Least requests of an arm at which its q-quantile has an upper bound at all, alpha halved over the arms.

    >>> least_requests(0.95, 0.01) < least_requests(0.99, 0.01)
    True
    """
    tosses = PRIOR_REQUESTS_IN_TAIL / (1 - q)
    n = np.arange(1, int(200 / (1 - q)))
    return int(n[np.argmax(log_e_above(n, n, q, tosses) >= log(2 / alpha))])
