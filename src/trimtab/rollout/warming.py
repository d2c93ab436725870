"""Before any traffic a candidate is ready, and warm."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase
from trimtab.rollout.capacity import frozen
from trimtab.rollout.decision import Decision, WarmUp
from trimtab.rollout.steps import enter
from trimtab.rollout.world import Observed


def wait_until_ready(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """A server that starts is waited for; one that never comes is broken (see broken.py)."""
    if seen.status.phase is not Phase.STARTING or seen.ready(seen.status.candidate):
        return None
    because = seen.hindered(seen.status.candidate)
    return Decision.rest(f"waiting for the candidate to be ready{because}")


def warm_up(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Requests past the gateway, so that no user meets a cold model."""
    status, candidate = seen.status, seen.status.candidate
    missing = spec.warm_up.requests - status.warmed
    if status.phase is not Phase.STARTING or candidate is None or missing <= 0:
        return None
    because = "the candidate is warmed up" + (f": {unwarmed(spec, seen)}" if seen.unwarmed else "")
    return Decision(because, after=(WarmUp(candidate.revision, missing),))


def unwarmed(spec: Rollout, seen: Observed) -> str:
    """How far the warm-up came, and what it met."""
    met = f"; the last met {seen.unwarmed}" if seen.unwarmed else ""
    return f"answered {seen.status.warmed} of {spec.warm_up.requests} warm-up requests{met}"


def begin(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """A warm candidate enters the first step; the first revision has nothing to be compared with, and serves."""
    status, candidate = seen.status, seen.status.candidate
    if status.phase is not Phase.STARTING or candidate is None:
        return None
    if status.stable is None:
        return Decision(
            "the first revision serves", claim=status.model_copy(update={"phase": Phase.PROMOTING})
        )
    entered = status.model_copy(update={"entered": status.entered + 1, "capacity": frozen(spec, seen)})
    return enter(spec, seen, entered, 0, now, "the candidate is ready and warm")
