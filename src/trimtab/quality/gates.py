"""Gates: may a trained model become a candidate at all?

An absolute gate looks at the metric on held-out rows. A gate against the revision in service looks at the
paired difference by day: rows of one day resemble each other, so the standard error is of days, not of rows.
It refuses if the mean is worse by more than `by`, or if even the 95 % lower bound (Student's t over days) is
worse at all. Ranking metrics take the jackknife over days (Efron 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from trimtab.quality.metrics import METRICS, NOTHING, Beside, Metric
from trimtab.quality.row_loss import Array

Bound = Literal["at_least", "at_most", "no_worse_than_stable_by", "better_than_stable_by"]
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition.

    Attributes:
        metric: a name in METRICS.
        bound: what `value` bounds.
        value: in the metric's unit; a share of stable's value if `relative`.
    """

    metric: str
    bound: Bound
    value: float
    relative: bool = False

    @property
    def against_stable(self) -> bool:
        return self.bound in ("no_worse_than_stable_by", "better_than_stable_by")


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate said.

    Attributes:
        because: a sentence with the figures.
        estimate: the metric (absolute gates), or how much worse than stable (positive = worse).
        standard_error, days: of that difference; NaN and 0 for absolute gates.
    """

    gate: Gate
    passed: bool
    because: str
    estimate: float
    standard_error: float = nan
    days: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less stable over the same rows, positive = worse, with its standard error over days."""

    mean: float
    standard_error: float
    days: int

    @property
    def lower(self) -> float:
        """Lower 95 % bound, one-sided; −inf with one day."""
        return self.mean - self._reach(CONFIDENCE)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, two-sided, Student's t over days; infinite with one day."""
        reach = self._reach((1 + CONFIDENCE) / 2)
        return self.mean - reach, self.mean + reach

    def _reach(self, quantile: float) -> float:
        if self.days < 2:
            return float("inf")
        return float(stdtrit(self.days - 1, quantile)) * self.standard_error


def judge(
    gate: Gate,
    labels: Array,
    candidate: Array,
    stable: Array | None,
    days: NDArray[np.int64],
    beside: Beside = NOTHING,
) -> GateResult:
    """One gate on held-out, labelled rows.

    Args:
        labels, candidate, stable: as in `row_loss`; `stable` None where no revision serves yet.
        days: local day of each row, shape (rows,). Leave out rows that stable learned from.

    Raises:
        KeyError: an unknown metric; names are checked with the project file.
    """
    metric = METRICS[gate.metric]
    if len(labels) == 0:
        return GateResult(gate, False, f"{gate.metric}: no held-out rows to judge on", nan)
    if not np.all(np.isfinite(candidate)):
        rows = int((~np.isfinite(candidate)).reshape(len(labels), -1).any(axis=1).sum())
        return GateResult(gate, False, f"{gate.metric}: {rows} predictions are not finite numbers", nan)
    if not gate.against_stable:
        return _absolute(gate, metric.value(labels, candidate, beside))
    if stable is None:
        return GateResult(gate, True, f"{gate.metric}: no revision in service to compare with", nan)
    allowed = gate.value * (abs(metric.value(labels, stable, beside)) if gate.relative else 1.0)
    return _paired(gate, paired_difference(metric, labels, candidate, stable, days, beside), allowed)


def paired_difference(
    metric: Metric,
    labels: Array,
    candidate: Array,
    stable: Array,
    days: NDArray[np.int64],
    beside: Beside = NOTHING,
) -> Difference:
    """How much worse the candidate is than stable, on the same rows, blocked by day."""
    if metric.row_loss is None:
        return _jackknife(metric, labels, candidate, stable, days, beside)
    delta = metric.losses(labels, candidate, beside) - metric.losses(labels, stable, beside)
    _, inverse, rows = np.unique(days, return_inverse=True, return_counts=True)
    n, mean = len(rows), float(delta.mean())
    scores = np.bincount(inverse, weights=delta, minlength=n) - mean * rows
    error = sqrt(float(np.sum(scores**2)) * n / (n - 1)) / len(delta) if n > 1 else nan
    return Difference(mean, error, n)


def _jackknife(
    metric: Metric,
    labels: Array,
    candidate: Array,
    stable: Array,
    days: NDArray[np.int64],
    beside: Beside,
) -> Difference:
    def worse_by(rows: NDArray[np.bool_]) -> float:
        held = beside.taken(rows)
        return metric.worse_by(
            metric.value(labels[rows], candidate[rows], held), metric.value(labels[rows], stable[rows], held)
        )

    unique = np.unique(days)
    n, mean = len(unique), worse_by(np.ones(len(labels), bool))
    if n < 2:
        return Difference(mean, nan, n)
    without = np.array([worse_by(days != day) for day in unique])
    error = sqrt((n - 1) / n * float(np.sum((without - without.mean()) ** 2)))
    return Difference(mean, error, n)


def _absolute(gate: Gate, value: float) -> GateResult:
    passed = value >= gate.value if gate.bound == "at_least" else value <= gate.value
    asked = "at least" if gate.bound == "at_least" else "at most"
    return GateResult(
        gate, bool(passed), f"{gate.metric} is {value:.4f}, asked is {asked} {gate.value:g}", value
    )


def _paired(gate: Gate, found: Difference, allowed: float) -> GateResult:
    by = allowed if gate.bound == "no_worse_than_stable_by" else -allowed
    side = "worse" if found.mean > 0 else "better"
    error = f"standard error {found.standard_error:.4f}" if isfinite(found.standard_error) else "one day only"
    text = f"{gate.metric} is {abs(found.mean):.4f} {side} than stable's ({error}, {found.days} days)"
    passed = found.mean <= by and not found.lower > 0
    if not found.mean <= by:
        limit = f"worse by {by:g}" if by >= 0 else f"better by {-by:g}"
        text += f"; allowed is no less than {limit}" if by < 0 else f"; allowed is {limit}"
    elif not passed:
        text += f"; even the 95 % lower bound, {found.lower:.4f}, is worse"
    return GateResult(gate, passed, text, found.mean, found.standard_error, found.days)
