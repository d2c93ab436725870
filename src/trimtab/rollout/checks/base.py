"""What all checks share: alphas, margins, and how a verdict is written down."""

from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Any, Final

from trimtab.api.rollout import Check, Rollout
from trimtab.api.rollout_status import CheckStatus
from trimtab.api.values import to_wire
from trimtab.sequential import Bounds, Verdict

LOST: Final = "EvidenceLost"


@dataclass(frozen=True, slots=True)
class Alphas:
    """Error rates of a check's two tests, for one candidate."""

    fail: float
    pass_: float

    @classmethod
    def of(cls, spec: Rollout, check: Check, entered: int) -> "Alphas":
        """The j-th candidate since the last promotion has alpha/2^(j−1) to pass: all together at most twice alpha."""
        fail, pass_ = spec.alphas(check)
        return cls(fail, pass_ / 2 ** max(0, entered - 1))


def margin_of(check: Check) -> float:
    """What "worse" may amount to; below 0 where the candidate must be better. Relative bounds as fractions."""
    if check.no_worse_than_stable_by is not None:
        return check.no_worse_than_stable_by.around(1.0)
    assert check.better_than_stable_by is not None
    return -check.better_than_stable_by.around(1.0)


def held_bounds(previous: CheckStatus | None) -> Bounds:
    """The tightest bounds so far."""
    if previous is None:
        return Bounds()
    return Bounds(
        -inf if previous.lower is None else previous.lower, inf if previous.upper is None else previous.upper
    )


def written(
    check: Check,
    step: str,
    verdict: Verdict,
    bounds: Bounds,
    *,
    estimate: float,
    units: int,
    rows: int,
    evidence: dict[str, Any],
    reason: str = "",
) -> CheckStatus:
    """A verdict as the status holds it; what is not finite becomes None."""
    return CheckStatus(
        name=check.name,
        step=step,
        verdict=verdict.value,
        estimate=None if isnan(estimate) else estimate,
        lower=bounds.lower if isfinite(bounds.lower) else None,
        upper=bounds.upper if isfinite(bounds.upper) else None,
        margin=margin_of(check) if check.at_most is None and check.at_least is None else None,
        units=units,
        rows=rows,
        reason=reason,
        evidence=to_wire(evidence),
    )


def lost(previous: CheckStatus, step: str, what: str) -> CheckStatus:
    """The verdict where stored sums and collector disagree; it stays. A bound that was crossed before holds."""
    reason = f"{LOST}: {what}"
    if previous.verdict != Verdict.INCONCLUSIVE:
        return previous.model_copy(update={"step": step})
    return previous.model_copy(
        update={"step": step, "reason": reason, "evidence": {**previous.evidence, "lost": what}}
    )


def is_lost(previous: CheckStatus | None) -> bool:
    """Whether the evidence was lost before."""
    return previous is not None and "lost" in previous.evidence
