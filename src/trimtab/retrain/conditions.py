"""What a person should know of a policy: does it watch, does a run run, has its circuit opened?"""

from datetime import datetime

from trimtab.api.conditions import Condition, condition
from trimtab.api.retrain import Retrain, RetrainStatus
from trimtab.retrain.guards import circuit_open
from trimtab.retrain.world import Observed


def conditions(
    spec: Retrain,
    status: RetrainStatus,
    now: datetime,
    trouble: str = "",
    *,
    suspended: bool = False,
    because: str = "",
) -> tuple[Condition, ...]:
    """One a type, in the order in which a person wants to read them.

    Args:
        trouble: what could not be reached; "" if nothing.
        because: what the run under way says of itself; "" if nothing.
    """
    open_ = circuit_open(spec, Observed(status), now)
    return (
        _ready(trouble, suspended),
        _running(status, because),
        condition("CircuitOpen", bool(open_), "RunsFailed" if open_ else "Closed", open_),
    )


def _ready(trouble: str, suspended: bool) -> Condition:
    if trouble:
        return condition("Ready", False, "Hindered", trouble)
    if suspended:
        return condition("Ready", False, "Suspended", "spec.suspend is true: no run is started")
    return condition("Ready", True, "Watching")


def _running(status: RetrainStatus, because: str) -> Condition:
    claim = status.claim
    if claim is None:
        return condition("Running", False, "Waiting" if status.waiting else "NothingAsked", status.waiting)
    message = because or f"{claim.cause}, since {claim.claimed_at:%Y-%m-%d %H:%M}"
    return condition("Running", True, "Started" if claim.run_id else "Claimed", message)
