"""Betting e-process on the difference of two error rates under randomised assignment.

A request goes to the candidate with the known chance p. Its number is X = error · (1{candidate}/p −
1{stable}/(1 − p)), whose mean is the candidate's error rate less stable's, whatever binds requests together:
the sample is what was randomised. Against "mean ≤ m" a gambler stakes a constant share of what may be staked
and holds Π(1 + λ(X − m)); the mean fortune of eight gamblers is an e-process (Waudby-Smith & Ramdas 2024). X
takes three values, so counts suffice, strata of one weight add, and fortunes multiply across weights; counts
of different weights are never pooled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from trimtab.sequential.verdict import Bounds

STAKES = np.array([0.9, 0.7, 0.5, 0.3, 0.15, 0.08, 0.04, 0.02])
"""Share of the largest stake that cannot ruin, a gambler each."""
SHARES = np.array([0.3, 0.15, 0.15, 0.1, 0.1, 0.08, 0.06, 0.06])
"""Of one unit of money, what each gambler starts with."""
LEAST_CANDIDATE_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Stratum:
    """Requests and errors of both arms while the candidate's weight was `weight`; a request counts once.

    Raises:
        ValueError: weight not in (0, 1), or more errors than requests.
    """

    weight: float
    n_candidate: int
    errors_candidate: int
    n_stable: int
    errors_stable: int

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise ValueError(f"a contrast needs both arms: the weight is in (0, 1), not {self.weight}")
        if not (0 <= self.errors_candidate <= self.n_candidate and 0 <= self.errors_stable <= self.n_stable):
            raise ValueError(f"errors are between 0 and the requests of their arm: {self}")

    def __add__(self, other: Stratum) -> Stratum:
        if other.weight != self.weight:
            raise ValueError(f"counts of weights {self.weight} and {other.weight} do not pool")
        return Stratum(
            self.weight,
            self.n_candidate + other.n_candidate,
            self.errors_candidate + other.errors_candidate,
            self.n_stable + other.n_stable,
            self.errors_stable + other.errors_stable,
        )


@dataclass(frozen=True, slots=True)
class Strata:
    """Evidence of a whole rollout: one stratum a weight, in order of weight."""

    strata: tuple[Stratum, ...] = ()

    @classmethod
    def of(cls, strata: Iterable[Stratum]) -> Strata:
        """Strata of one weight added up.

        >>> Strata.of([Stratum(0.2, 20, 1, 80, 2), Stratum(0.2, 10, 0, 40, 1)]).strata
        (Stratum(weight=0.2, n_candidate=30, errors_candidate=1, n_stable=120, errors_stable=3),)
        """
        by_weight: dict[float, Stratum] = {}
        for stratum in strata:
            held = by_weight.get(stratum.weight)
            by_weight[stratum.weight] = held + stratum if held else stratum
        return cls(tuple(by_weight[weight] for weight in sorted(by_weight)))

    def __add__(self, other: Strata) -> Strata:
        return Strata.of((*self.strata, *other.strata))

    @property
    def n_candidate(self) -> int:
        return sum(stratum.n_candidate for stratum in self.strata)

    @property
    def n(self) -> int:
        return sum(stratum.n_candidate + stratum.n_stable for stratum in self.strata)

    @property
    def difference(self) -> float:
        """Candidate's error rate less stable's, by inverse probability; NaN without requests."""
        if self.n == 0:
            return float("nan")
        return (
            sum(s.errors_candidate / s.weight - s.errors_stable / (1 - s.weight) for s in self.strata)
            / self.n
        )

    def to_json(self) -> list[list[float]]:
        return [
            [s.weight, s.n_candidate, s.errors_candidate, s.n_stable, s.errors_stable] for s in self.strata
        ]

    @classmethod
    def from_json(cls, held: Iterable[Iterable[float]]) -> Strata:
        return cls.of(Stratum(w, int(n), int(e), int(m), int(f)) for w, n, e, m, f in held)


def log_e_above(evidence: Strata, mean: float) -> float:
    """Natural log of the e-value against "the difference is at most `mean`", −1 < mean < 1.

    >>> log_e_above(Strata(), 0.0)
    0.0
    >>> log_e_above(Strata.of([Stratum(0.5, 500, 60, 500, 10)]), 0.0) > 10
    True
    """
    fortunes = np.zeros(len(STAKES))
    for s in evidence.strata:
        worst = 1 / (1 - s.weight) + mean  # the largest loss of a unit stake: a stable request that errs
        bet = STAKES / worst
        fortunes += s.errors_stable * np.log1p(-STAKES)
        fortunes += s.errors_candidate * np.log1p(bet * (1 / s.weight - mean))
        fortunes += _clean(s) * np.log1p(-bet * mean)
    return _mixture(fortunes)


def log_e_below(evidence: Strata, mean: float) -> float:
    """Natural log of the e-value against "the difference is at least `mean`", −1 < mean < 1.

    >>> log_e_below(Strata.of([Stratum(0.5, 500, 0, 500, 0)]), 0.02) > log(20)
    True
    """
    fortunes = np.zeros(len(STAKES))
    for s in evidence.strata:
        worst = 1 / s.weight - mean  # a candidate request that errs
        bet = STAKES / worst
        fortunes += s.errors_candidate * np.log1p(-STAKES)
        fortunes += s.errors_stable * np.log1p(bet * (1 / (1 - s.weight) + mean))
        fortunes += _clean(s) * np.log1p(bet * mean)
    return _mixture(fortunes)


def bounds(evidence: Strata, alpha_lower: float, alpha_upper: float) -> Bounds:
    """The confidence sequence of the difference, to 1e-4; infinite under 200 candidate requests.

    Bounds that cross say that requests were not assigned with the stated weights: nothing is known then.

    >>> found = bounds(Strata.of([Stratum(0.5, 1000, 20, 1000, 20)]), 0.01, 0.05)
    >>> found.lower < 0 < found.upper < 0.04
    True
    """
    if evidence.n_candidate < LEAST_CANDIDATE_REQUESTS:
        return Bounds()
    lower = _edge(lambda mean: log_e_above(evidence, mean) < log(1 / alpha_lower))
    upper = -_edge(lambda mean: log_e_below(evidence, -mean) < log(1 / alpha_upper))
    return Bounds(lower, upper) if lower <= upper else Bounds()


def least_requests(margin: float, alpha: float, weight: float) -> int:
    """Least candidate requests at which an error rate can Pass: with no error in either arm.

    >>> least_requests(0.02, 0.05, 0.2) < least_requests(0.01, 0.05, 0.2)
    True
    """

    def passes(n: int) -> bool:
        clean = Stratum(weight, n, 0, round(n * (1 - weight) / weight), 0)
        return log_e_below(Strata((clean,)), margin) > log(1 / alpha)

    high = LEAST_CANDIDATE_REQUESTS
    while not passes(high):
        high *= 2
    low = LEAST_CANDIDATE_REQUESTS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle + 1, high)
    return low


def _clean(s: Stratum) -> int:
    return s.n_candidate + s.n_stable - s.errors_candidate - s.errors_stable


def _mixture(fortunes: NDArray[np.float64]) -> float:
    top = float(fortunes.max())
    return top + log(float(np.sum(SHARES * np.exp(fortunes - top))))


def _edge(plausible: Callable[[float], bool]) -> float:
    """The least plausible mean in (−1, 1), known to rise from implausible to plausible; −inf if all are."""
    low, high = -1.0 + 1e-9, 1.0 - 1e-9
    if plausible(low):
        return -inf
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if plausible(middle) else (middle, high)
    return low
