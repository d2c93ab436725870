"""Errors a request, candidate less stable, from what the router randomised (verdicts.md 1, 2).

The strata are step × hour, each with the weight that the route then had; the sample is the request. In a shadow
both arms answer: a candidate that gets the share q of N requests stands for q/(1+q) of N(1+q) answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from trimtab.api.rollout import Check
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks.base import Alphas, held_bounds, is_lost, lost, margin_of, written
from trimtab.sequential import Verdict, betting, judge
from trimtab.sequential.betting import Strata, Stratum

LATE_SHARE: Final = 0.99
"""Of the requests counted before, what the collector must still hold."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One closed stretch of one step: requests and errors of both arms."""

    start: datetime
    requests_candidate: int
    errors_candidate: int
    requests_stable: int
    errors_stable: int


def judge_error_rate(
    check: Check,
    alphas: Alphas,
    step: str,
    since: datetime,
    previous: CheckStatus | None,
    weight: float,
    buckets: Sequence[Bucket],
    unlogged: tuple[int, int] = (0, 0),
) -> CheckStatus:
    """The verdict with all closed hours of the present step added.

    Args:
        since: when the step began; hours of another beginning are folded already.
        weight: the candidate's share of the answers, in (0, 1).
        buckets: of this step, in order, from its beginning.
        unlogged: failures of candidate and stable that the gateway saw and nobody logged, new since the last look.
    """
    if previous is not None and is_lost(previous):
        return previous
    known = previous.evidence if previous else {}
    here = known.get("since") == since.isoformat()
    through = datetime.fromisoformat(known["through"]) if here and known.get("through") else None
    counted = int(known.get("counted", 0)) if here else 0
    old = [b for b in buckets if through is not None and b.start <= through]
    if previous is not None and sum(b.requests_candidate for b in old) < LATE_SHARE * counted:
        return lost(previous, step, f"of {counted} requests that were counted the collector lacks some")
    new = [b for b in buckets if through is None or b.start > through]
    strata = Strata.from_json([map(float, one) for one in known.get("strata", ())]) + Strata.of(
        Stratum(weight, b.requests_candidate, b.errors_candidate, b.requests_stable, b.errors_stable)
        for b in new
    )
    if any(unlogged):
        strata += Strata.of([Stratum(weight, unlogged[0], unlogged[0], unlogged[1], unlogged[1])])
    bounds = held_bounds(previous)
    if new or any(unlogged):
        bounds = bounds.tighten(betting.bounds(strata, alphas.fail, alphas.pass_))
    few = strata.n_candidate < betting.LEAST_CANDIDATE_REQUESTS
    return written(
        check,
        step,
        Verdict.INCONCLUSIVE if few else judge(bounds, margin_of(check)),
        bounds,
        estimate=strata.difference,
        units=strata.n_candidate,
        rows=strata.n_candidate,
        reason=f"{strata.n_candidate} of {betting.LEAST_CANDIDATE_REQUESTS} requests" if few else "",
        evidence={
            "since": since.isoformat(),
            "through": new[-1].start.isoformat() if new else (through.isoformat() if through else None),
            "counted": counted + sum(b.requests_candidate for b in new),
            "strata": strata.to_json(),
        },
    )
