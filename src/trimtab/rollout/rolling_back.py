"""Rolling back: the registry bars the revision, stable takes all traffic, then the candidate is let go."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import KEPT, CheckStatus, Move, Phase, Rejected, Rollback
from trimtab.rollout.decision import Decision, Happened, Reject, left, noted, obeyed
from trimtab.rollout.world import Observed


def roll_back(
    seen: Observed,
    now: datetime,
    because: str,
    *,
    order: str | None = None,
    reject: bool = True,
    checks: tuple[CheckStatus, ...] = (),
) -> Decision:
    """Let the candidate in flight go.

    Args:
        order: id of the order that this obeys.
        reject: whether it stays out; False where a newer one takes its place.
        checks: those that it rests on.
    """
    status, candidate = seen.status, seen.status.candidate
    assert candidate is not None
    kind = "Rejected" if reject else "Superseded"
    claim = status.model_copy(
        update={
            "phase": Phase.ROLLING_BACK,
            "rollback": Rollback(because=because, reject=reject),
            "acts": obeyed(status, order) if order else status.acts,
            "history": noted(status, Move(at=now, kind=kind, revision=candidate.revision, because=because)),
            "stalled": "",
        }
    )
    return Decision(
        because,
        before=(Reject(candidate, because, status.attempt),) if reject else (),
        claim=claim,
        happened=(Happened(kind, candidate.revision, because, bounds_of(checks)),),
    )


def finish_roll_back(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Once no request reaches the candidate, which mending the route has seen to, bar it and forget it.

    Where there is no stable to take its requests, it goes on answering until another revision does.
    """
    status, candidate = seen.status, seen.status.candidate
    if status.phase is not Phase.ROLLING_BACK or candidate is None:
        return None
    assert status.rollback is not None
    if status.stable is not None and not seen.in_effect:
        return Decision.rest("waiting for the route to lead to stable")
    because = status.rollback.because
    if status.rollback.reject and not seen.candidate_rejected:
        return Decision(because, before=(Reject(candidate, because, status.attempt),))
    rejected = status.rejected
    if status.rollback.reject:
        entry = Rejected(revision=candidate.revision, version=candidate.version, because=because, at=now)
        rejected = (*(r for r in rejected if r.revision != candidate.revision), entry)[-KEPT:]
    claim = status.model_copy(
        update={
            "phase": Phase.IDLE,
            "candidate": None,
            "step": None,
            "rollback": None,
            "rejected": rejected,
            "leaving": left(status, candidate),
            "capacity": status.capacity.model_copy(update={"candidate": 0, "warmed": 0}),
        }
    )
    return Decision("stable has all traffic", claim=claim)


def bounds_of(checks: tuple[CheckStatus, ...]) -> dict[str, float | str | None]:
    """The numbers of checks, by "<check>.<number>", for a person."""
    found: dict[str, float | str | None] = {}
    for check in checks:
        found[f"{check.name}.verdict"] = check.verdict
        found[f"{check.name}.estimate"] = check.estimate
        found[f"{check.name}.lower"] = check.lower
        found[f"{check.name}.upper"] = check.upper
        found[f"{check.name}.margin"] = check.margin
        found[f"{check.name}.units"] = check.units
        found[f"{check.name}.rows"] = check.rows
    return found
