"""The conditions of a ModelRollout: does stable serve, does a candidate proceed, is a person needed?"""

from collections.abc import Sequence
from dataclasses import dataclass

from operators.drift.conditions.condition import Condition
from trimtab.adapters.children import Fact
from trimtab.api.conditions import Condition as Told
from trimtab.api.rollout_status import Phase, RolloutStatus
from trimtab.control.rollout import Looked
from trimtab.ports.gateway import Split
from trimtab.ports.servers import Server, ServerState


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a rollout saw.

    Attributes:
        split: the route; None where there is none.
        stable: the server of the stable revision; None where there is none.
        facts: of the gateway and of the template.
        resolved: whether the wished model is known; None while that cannot be asked.
        unresolved: why it is not.
        ordered: what is wrong with a person's order; "" if nothing.
        told: what control says of itself; empty while it could not look.
        hindered: trouble that has lasted; "" for none, or for one that is fresh.
        unreadable: what was wrong with a stored status that had to be rebuilt; "" for none.
    """

    status: RolloutStatus
    looked: Looked
    split: Split | None
    stable: Server | None
    facts: Sequence[Fact]
    resolved: bool | None
    unresolved: str = ""
    ordered: str = ""
    told: Sequence[Told] = ()
    hindered: str = ""
    unreadable: str = ""


def conditions(seen: Seen) -> tuple[Condition, ...]:
    """One a type, in the order in which a person wants to read them."""
    facts = tuple(Condition(fact.type, fact.status, fact.reason, fact.message) for fact in seen.facts)
    own = (_ready(seen), _progressing(seen), _stalled(seen), _model_resolved(seen), _readable(seen))
    known = {one.type for one in (*own, *facts)}
    rest = (one for one in seen.told if one.type not in known)
    copies = tuple(Condition(one.type, one.status, one.reason, one.message) for one in rest)
    return (*own, *facts, *copies)


def _ready(seen: Seen) -> Condition:
    """Stable serves the host: true throughout a rollout, whatever becomes of its candidate."""
    stable = seen.status.stable
    accepted = next((fact for fact in seen.facts if fact.type == "RouteAccepted"), None)
    if stable is None:
        why = seen.looked.trouble or seen.looked.because
        return Condition("Ready", "False", "NoRevisionYet", why)
    if seen.split is None or not seen.split.weights.get(stable.revision):
        return Condition("Ready", "False", "NotRouted", f"no request goes to {_named(seen)} yet")
    if accepted is not None and accepted.status == "False":
        return Condition("Ready", "False", "RouteNotAccepted", accepted.message)
    if seen.stable is None or seen.stable.state is not ServerState.READY:
        message = seen.stable.message if seen.stable is not None else "it has no server"
        return Condition("Ready", "False", "StableNotReady", f"{_named(seen)} does not answer: {message}")
    return Condition("Ready", "True", "Serving", f"{_named(seen)} serves")


def _named(seen: Seen) -> str:
    stable = seen.status.stable
    return f"version {stable.version} (revision {stable.revision})" if stable is not None else "no revision"


def _progressing(seen: Seen) -> Condition:
    told = next((one for one in seen.told if one.type == "Progressing"), None)
    if told is not None:
        return Condition("Progressing", told.status, told.reason, told.message)
    if seen.status.candidate is None and seen.status.phase is Phase.IDLE:
        return Condition("Progressing", "False", "Idle", seen.looked.because)
    return Condition("Progressing", "True", seen.status.phase.value, seen.looked.because)


def _stalled(seen: Seen) -> Condition:
    told = next((one for one in seen.told if one.type == "Stalled" and one.status == "True"), None)
    if told is not None:
        return Condition("Stalled", "True", told.reason, told.message)
    if seen.status.stalled:
        return Condition("Stalled", "True", "PersonNeeded", seen.status.stalled)
    if seen.ordered:
        return Condition("Stalled", "True", "OrderUnreadable", seen.ordered)
    if seen.hindered:
        return Condition("Stalled", "True", "Hindered", seen.hindered)
    return Condition("Stalled", "False", "Proceeding")


def _readable(seen: Seen) -> Condition:
    if seen.unreadable:
        because = f"the status was rebuilt from what serves, since it could not be read ({seen.unreadable})"
        return Condition("StatusReadable", "False", "Rebuilt", because)
    return Condition("StatusReadable", "True", "AsWritten")


def _model_resolved(seen: Seen) -> Condition:
    if seen.resolved:
        return Condition("ModelResolved", "True", "Resolved")
    reason = "NotFound" if seen.resolved is False else "RegistryUnreachable"
    return Condition(
        "ModelResolved", "False" if seen.resolved is False else "Unknown", reason, seen.unresolved
    )
