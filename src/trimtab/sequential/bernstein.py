"""Predictable plug-in empirical Bernstein: the mean of many bounded, independent units.

    (Σ λ_i X_i ± (log(1/α) + Σ v_i ψ(λ_i))) / Σ λ_i,    v_i = (X_i − μ̂_{i−1})²,  ψ(λ) = −log(1 − λ) − λ

for X in [0, 1], with λ_i = min(½, sqrt(2 log(1/α) / (σ̂²_{i−1} · i · log(1 + i)))) chosen from the past alone
(Waudby-Smith & Ramdas 2024, theorem 2; one side at α). For 1,000 units and more; block means take t_mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike

from trimtab.sequential.verdict import Bounds

LARGEST_BET = 0.5


@dataclass(frozen=True, slots=True)
class Bounded:
    """Evidence on the mean of units in [low, high], in the order in which they came.

    Attributes:
        alpha: level of either side.
        n, total, deviation: units, Σ x and Σ (x − μ̂)² of the units scaled to [0, 1].
        bets, weighted, spent: Σ λ, Σ λx, Σ vψ(λ).
    """

    low: float
    high: float
    alpha: float
    n: int = 0
    total: float = 0.0
    deviation: float = 0.0
    bets: float = 0.0
    weighted: float = 0.0
    spent: float = 0.0

    def add(self, units: ArrayLike) -> Bounded:
        """More units, shape (k,).

        Raises:
            ValueError: a unit is not finite or outside [low, high]: the bound would not hold.
        """
        x = (np.atleast_1d(np.asarray(units, np.float64)) - self.low) / (self.high - self.low)
        if not np.all((x >= 0) & (x <= 1)):
            raise ValueError(f"a unit lies outside [{self.low}, {self.high}]")
        i = self.n + np.arange(1, len(x) + 1)
        sums = self.total + np.cumsum(x)
        mean = (0.5 + sums) / (i + 1)
        mean_before = (0.5 + sums - x) / i
        deviations = self.deviation + np.cumsum((x - mean) ** 2)
        deviation_before = np.concatenate([[self.deviation], deviations[:-1]])
        variance_before = (0.25 + deviation_before) / i
        bet = np.minimum(np.sqrt(2 * log(1 / self.alpha) / (variance_before * i * np.log1p(i))), LARGEST_BET)
        return replace(
            self,
            n=self.n + len(x),
            total=float(sums[-1]) if len(x) else self.total,
            deviation=float(deviations[-1]) if len(x) else self.deviation,
            bets=self.bets + float(bet.sum()),
            weighted=self.weighted + float((bet * x).sum()),
            spent=self.spent + float(((x - mean_before) ** 2 * (-np.log1p(-bet) - bet)).sum()),
        )


def bounds(evidence: Bounded) -> Bounds:
    """The confidence sequence of the mean, in the units' own scale.

    >>> found = bounds(Bounded(0.0, 1.0, alpha=0.05).add([0.4, 0.6] * 500))
    >>> 0.4 < found.lower < 0.5 < found.upper < 0.6
    True
    """
    if evidence.n == 0:
        return Bounds(-inf, inf)
    centre = evidence.weighted / evidence.bets
    width = (log(1 / evidence.alpha) + evidence.spent) / evidence.bets
    span = evidence.high - evidence.low
    return Bounds(evidence.low + span * (centre - width), evidence.low + span * (centre + width))
