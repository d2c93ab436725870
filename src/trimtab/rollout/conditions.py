"""What a person should know of a rollout at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.api.conditions import Condition, condition
from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase, RevisionRef
from trimtab.rollout.capacity import lacking, overdue
from trimtab.rollout.steps import lacks
from trimtab.rollout.world import Observed


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a rollout beside what its decisions stand on.

    Attributes:
        because: what it waits for, or rests on.
        trouble: what could not be reached, or was refused; "" if nothing.
        hindered: trouble that has lasted; "" for none, or for one that is fresh.
        ordered: what is wrong with a person's order; "" if nothing.
        unreadable: what was wrong with a stored status that had to be rebuilt; "" for none.
        asked: whether the registry's last answer still counts.
        unresolved: why the wished model is not known.
        facts: what adapters know; of a type that stands here too, theirs counts.
    """

    because: str = ""
    trouble: str = ""
    hindered: str = ""
    ordered: str = ""
    unreadable: str = ""
    asked: bool = True
    unresolved: str = ""
    facts: Sequence[Condition] = ()


def conditions(spec: Rollout, seen: Observed, told: Told = Told()) -> tuple[Condition, ...]:
    """One a type, in the order in which a person wants to read them."""
    own = (
        ready(seen, told),
        progressing(seen, told),
        stalled(spec, seen, told),
        resolved(seen, told),
        readable(told),
    )
    known = {fact.type for fact in told.facts}
    of_gateway = (mirrors(seen), pairs(seen), audiences(spec, seen))
    return (*own, *told.facts, *(one for one in of_gateway if one.type not in known))


def ready(seen: Observed, told: Told) -> Condition:
    """Stable serves the host: true throughout a rollout, whatever becomes of its candidate."""
    if seen.status.stable is None:
        return condition("Ready", False, "NoRevisionYet", told.trouble or told.because)
    serves = _serving(seen, seen.status.stable)
    if serves is None:
        return condition("Ready", False, "NotRouted", f"no request goes to {_named(seen.status.stable)} yet")
    accepted = next((fact for fact in told.facts if fact.type == "RouteAccepted"), None)
    if accepted is not None and accepted.status == "False":
        return condition("Ready", False, "RouteNotAccepted", accepted.message)
    if not seen.ready(serves):
        server = seen.servers.get(serves.revision)
        because = server.message if server is not None else "it has no server"
        return condition("Ready", False, "StableNotReady", f"{_named(serves)} does not answer: {because}")
    return condition("Ready", True, "Serving", f"{_named(serves)} serves")


def _serving(seen: Observed, stable: RevisionRef) -> RevisionRef | None:
    """Whom the host's requests go to: stable, or at its promotion the candidate that answers; None for neither."""
    candidate = seen.status.candidate
    if seen.routed is None:
        return None
    if seen.routed.weights.get(stable.revision):
        return stable
    return candidate if seen.status.phase is Phase.PROMOTING and seen.ready(candidate) else None


def _named(ref: RevisionRef) -> str:
    return f"version {ref.version} (revision {ref.revision})"


def progressing(seen: Observed, told: Told) -> Condition:
    """Whether a candidate is on its way, and what it waits for."""
    if seen.status.candidate is None:
        return condition("Progressing", False, "Idle", told.because)
    if seen.suspended:
        return condition("Progressing", False, "Suspended", told.trouble or told.because)
    return condition("Progressing", True, seen.status.phase.value, told.trouble or told.because)


def stalled(spec: Rollout, seen: Observed, told: Told) -> Condition:
    """Whether a person is needed: what only one can do comes before what hinders."""
    if (needed := _needed(spec, seen)) is not None:
        return needed
    if told.ordered:
        return condition("Stalled", True, "OrderUnreadable", told.ordered)
    if told.hindered:
        return condition("Stalled", True, "Hindered", told.hindered)
    return condition("Stalled", False, "Proceeding")


def _needed(spec: Rollout, seen: Observed) -> Condition | None:
    """What the rollout itself needs a person for."""
    status = seen.status
    if status.candidate is None:
        return condition("Stalled", True, "PersonNeeded", status.stalled) if status.stalled else None
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
    return None


def resolved(seen: Observed, told: Told) -> Condition:
    """Whether the wished model is known."""
    if seen.newest is not None:
        ref = seen.newest.ref
        message = f"version {ref.version} is revision {ref.revision}"
        return condition("ModelResolved", True, "Resolved", message)
    if told.asked:
        return condition("ModelResolved", False, "NotFound", told.unresolved)
    return condition("ModelResolved", None, "RegistryUnreachable", told.unresolved)


def readable(told: Told) -> Condition:
    """Whether the status is the one that was written."""
    if told.unreadable:
        because = f"the status was rebuilt from what serves, since it could not be read ({told.unreadable})"
        return condition("StatusReadable", False, "Rebuilt", because)
    return condition("StatusReadable", True, "AsWritten")


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
