"""What a person should know of a policy at a glance."""

from datetime import datetime

from trimtab.api.conditions import Condition, condition
from trimtab.api.retrain import Retrain, RetrainStatus
from trimtab.retrain.guards import circuit_open
from trimtab.retrain.world import Observed


def conditions(
    spec: Retrain, status: RetrainStatus, now: datetime, trouble: str = "", *, suspended: bool = False
) -> tuple[Condition, ...]:
    """All of them; `trouble` is what could not be reached, "" if nothing."""
    claim = status.claim
    open_ = circuit_open(spec, Observed(status), now)
    reason = "Unreachable" if trouble else "Suspended" if suspended else "Watches"
    return (
        condition("Ready", not trouble and not suspended, reason, trouble or status.waiting),
        condition(
            "Running", claim is not None, "Running" if claim else "Idle", claim.because if claim else ""
        ),
        condition("CircuitOpen", bool(open_), "RunsFailed" if open_ else "Closed", open_),
    )
