"""A latency quantile of the candidate over stable's, by Howard and Ramdas's confidence sequences (verdicts.md 2).

Histograms of different weights are not pooled: each step has its own sequence, at its share of alpha, and what
one of them bounds is bounded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from trimtab.api.rollout import Check
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks.base import Alphas, held_bounds, is_lost, lost, margin_of, written
from trimtab.sequential import Verdict, judge, quantile
from trimtab.sequential.quantile import Durations

LEAST_REQUESTS: Final = 200
LATE_SHARE: Final = 0.99


class HistogramLike(Protocol):
    """Counts by duration (ports.evidence.Latencies)."""

    @property
    def edges_ms(self) -> Sequence[float]: ...
    @property
    def counts(self) -> Sequence[int]: ...


def quantile_of(metric: str) -> float:
    """The quantile that a metric names.

    >>> quantile_of("latency_p95")
    0.95
    """
    return int(metric.removeprefix("latency_p")) / 100


def judge_latency(
    check: Check,
    alphas: Alphas,
    step: str,
    since: datetime,
    steps: int,
    previous: CheckStatus | None,
    candidate: HistogramLike,
    stable: HistogramLike,
) -> CheckStatus:
    """The verdict on the answers of the present step.

    Args:
        since: when the step began.
        steps: how many steps ask this check; each has an equal share of the alphas.
        candidate, stable: answers since the step began, on one grid.
    """
    if previous is not None and is_lost(previous):
        return previous
    q = quantile_of(check.asks)
    slow, fast = (
        Durations.of(candidate.edges_ms, candidate.counts),
        Durations.of(stable.edges_ms, stable.counts),
    )
    known = previous.evidence if previous else {}
    counted = known.get("counted", 0) if known.get("since") == since.isoformat() else 0
    if previous is not None and slow.n < LATE_SHARE * counted:
        return lost(previous, step, f"of {counted} durations that were counted the collector lacks some")
    bounds, estimate = held_bounds(previous), float("nan")
    few = min(slow.n, fast.n) < LEAST_REQUESTS
    if not few:
        bounds = bounds.tighten(
            quantile.ratio_bounds(slow, fast, q, alphas.fail / steps, alphas.pass_ / steps)
        )
        estimate = slow.quantile(q) / fast.quantile(q) - 1
    return written(
        check,
        step,
        judge(bounds, margin_of(check)) if previous or not few else Verdict.INCONCLUSIVE,
        bounds,
        estimate=estimate,
        units=slow.n,
        rows=slow.n,
        reason=f"{slow.n} and {fast.n} of {LEAST_REQUESTS} requests" if few else "",
        evidence={"since": since.isoformat(), "counted": slow.n},
    )
