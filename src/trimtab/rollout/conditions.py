"""What a person should know of a rollout at a glance."""

from trimtab.api.conditions import Condition, condition
from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase
from trimtab.rollout.capacity import lacking, overdue
from trimtab.rollout.steps import lacks
from trimtab.rollout.world import Observed


def conditions(spec: Rollout, seen: Observed, because: str = "", trouble: str = "") -> tuple[Condition, ...]:
    """All of them.

    Args:
        because: what the rollout waits for, or rests on.
        trouble: what could not be reached, or was refused; "" if nothing.
    """
    return (
        ready(seen),
        progressing(seen, because, trouble),
        stalled(spec, seen),
        mirrors(seen),
        pairs(seen),
        audiences(spec, seen),
        resolved(seen),
    )


def ready(seen: Observed) -> Condition:
    """Stable serves the host; true throughout a rollout."""
    stable, routed = seen.status.stable, seen.routed
    if stable is None:
        return condition("Ready", False, "NothingServes", "no revision has become stable yet")
    if routed is None or not routed.weights.get(stable.revision):
        promoting = routed is not None and seen.status.phase is Phase.PROMOTING
        if not promoting or not seen.ready(seen.status.candidate):
            return condition("Ready", False, "NotRouted", f"no request is led to {stable.revision}")
    elif not seen.ready(stable):
        server = seen.servers.get(stable.revision)
        return condition(
            "Ready", False, "NotReady", (server.message if server else "") or "no server answers"
        )
    return condition("Ready", True, "Serves", f"version {stable.version} serves")


def progressing(seen: Observed, because: str = "", trouble: str = "") -> Condition:
    """Whether a candidate is on its way, and what it waits for."""
    if seen.status.candidate is None:
        return condition("Progressing", False, "Idle", because)
    if seen.suspended:
        return condition("Progressing", False, "Suspended", trouble or because)
    return condition("Progressing", True, seen.status.phase.value, trouble or because)


def stalled(spec: Rollout, seen: Observed) -> Condition:
    """Whether a person is needed."""
    status = seen.status
    if status.candidate is None:
        return condition("Stalled", False, "Idle")
    if status.step is not None and seen.copies.supported is False and status.phase is Phase.SHADOW:
        return condition("Stalled", True, "MirrorUnsupported", seen.copies.because)
    if status.stalled:
        unable = [
            found
            for step in spec.steps
            if status.stalled.startswith(f"{step.name} cannot start") and (found := lacks(seen, step))
        ]
        return condition("Stalled", True, unable[0].reason if unable else "Inconclusive", status.stalled)
    if (missing := lacking(spec, seen)) and overdue(spec, status):
        return condition("Stalled", True, "CapacityMissing", missing)
    if status.phase is Phase.AWAITING_APPROVAL:
        name = status.step.name if status.step else "a step"
        return condition("Stalled", True, "AwaitingApproval", f"{name} waits for approval")
    return condition("Stalled", False, "Proceeds")


def mirrors(seen: Observed) -> Condition:
    """Whether the gateway copies requests."""
    known = {True: "Supported", False: "Unsupported", None: "NotProbed"}
    return condition(
        "MirrorSupported", seen.copies.supported, known[seen.copies.supported], seen.copies.because
    )


def pairs(seen: Observed) -> Condition:
    """Whether the answers to request and copy can be told to belong together."""
    known = {True: "Paired", False: "Unpaired", None: "NotProbed"}
    return condition("PairingSupported", seen.copies.paired, known[seen.copies.paired], seen.copies.because)


def audiences(spec: Rollout, seen: Observed) -> Condition:
    """Whether the gateway tells callers apart as the steps ask for, if any does."""
    ways = {step.audience.way for step in spec.steps if step.audience}
    missing = sorted(ways - seen.apart.ways)
    if not missing:
        return condition("AudienceSupported", True, "Supported")
    because = f"the gateway tells nobody apart by {', '.join(missing)}: {seen.apart.because}".rstrip(": ")
    return condition("AudienceSupported", False, "Unsupported", because)


def resolved(seen: Observed) -> Condition:
    """Whether the wished model is known."""
    if seen.newest is None:
        return condition(
            "ModelResolved", False, "NoCandidate", "the registry names no candidate, or cannot say"
        )
    ref = seen.newest.ref
    return condition("ModelResolved", True, "Resolved", f"version {ref.version} is revision {ref.revision}")
