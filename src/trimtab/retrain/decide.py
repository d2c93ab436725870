"""The rules of a retraining policy, in order."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from trimtab.api.retrain import Attempt, Retrain
from trimtab.retrain.guards import held_back
from trimtab.retrain.key import run_key
from trimtab.retrain.settling import (
    begin,
    bring_to_now,
    end_surplus,
    settle_candidate,
    settle_run,
    start_what_is_claimed,
    wait_for_run,
)
from trimtab.retrain.triggers import due
from trimtab.retrain.world import Decision, Happened, Observed

Rule = Callable[[str, Retrain, Observed, datetime], Decision | None]


def claim_what_is_due(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """The first trigger that asks and may have it; the claim is written before the run is created."""
    asking = [found for trigger in spec.triggers if (found := due(trigger, spec, seen, now))]
    if not asking:
        return None
    free = next((found for found in asking if not found.held), None)
    held = held_back(spec, seen, now) or ("" if free else asking[0].held)
    if held or free is None:
        waiting = f"{asking[0].because}: {held}"
        if waiting == seen.status.waiting:
            return Decision.rest(waiting)
        return Decision(waiting, claim=seen.status.model_copy(update={"waiting": waiting}), waits=True)
    attempt = Attempt(
        key=run_key(policy, free.episode, free.arming),
        cause=free.trigger,
        episode=free.episode,
        arming=free.arming,
        claimed_at=now,
        data_end=now,
        because=free.because,
    )
    claim = seen.status.claimed(attempt)
    happened = Happened("RunClaimed", free.because, {"key": attempt.key[:12], "arming": free.arming})
    return Decision(free.because, claim=claim, happened=(happened,))


RULES: Final[tuple[Rule, ...]] = (
    begin,
    bring_to_now,
    end_surplus,
    settle_run,
    start_what_is_claimed,
    wait_for_run,
    settle_candidate,
    claim_what_is_due,
)


def decide(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision:
    """The next move of a policy: that of the first rule with something to say.

    Args:
        policy: its name, or its UID on a cluster; part of every run's key.
    """
    for rule in RULES:
        if decision := rule(policy, spec, seen, now):
            return decision
    return Decision.rest("nothing asks for a run")
