"""The conditions of a RetrainPolicy: does it watch, does a run run, has its circuit opened?"""

from datetime import datetime

from operators.drift.conditions.condition import Condition
from trimtab.api.retrain import CircuitBreaker, Outcome, RetrainStatus


def conditions(
    status: RetrainStatus, breaker: CircuitBreaker, trouble: str, suspended: bool, because: str, now: datetime
) -> tuple[Condition, ...]:
    """
    Args:
        trouble: what could not be reached; "" if nothing.
        because: what the run under way says of itself; "" if nothing.
    """
    return (_ready(trouble, suspended), _running(status, because), _circuit(status, breaker, now))


def _ready(trouble: str, suspended: bool) -> Condition:
    if trouble:
        return Condition("Ready", "False", "Hindered", trouble)
    if suspended:
        return Condition("Ready", "False", "Suspended", "spec.suspend is true: no run is started")
    return Condition("Ready", "True", "Watching")


def _running(status: RetrainStatus, because: str) -> Condition:
    claim = status.claim
    if claim is None:
        return Condition("Running", "False", "Waiting" if status.waiting else "NothingAsked", status.waiting)
    message = because or f"{claim.cause}, since {claim.claimed_at:%Y-%m-%d %H:%M}"
    return Condition("Running", "True", "Started" if claim.run_id else "Claimed", message)


def _circuit(status: RetrainStatus, breaker: CircuitBreaker, now: datetime) -> Condition:
    ended = [attempt for attempt in status.attempts if attempt.outcome is not Outcome.RUNNING]
    latest = ended[-breaker.failures :]
    failed = len(latest) == breaker.failures and all(one.outcome is Outcome.FAILED for one in latest)
    if failed and latest[-1].ended_at is not None and now < latest[-1].ended_at + breaker.reset_after:
        until = latest[-1].ended_at + breaker.reset_after
        return Condition(
            "CircuitOpen",
            "True",
            "RunsFailed",
            f"{breaker.failures} runs in a row failed; until {until:%Y-%m-%d %H:%M}",
        )
    return Condition("CircuitOpen", "False", "Closed")
