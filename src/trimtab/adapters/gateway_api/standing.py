"""What a gateway says of a route, read from the route's status: pure.

A verdict counts only for our own parentRef, and only at the generation that the route has now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Object


@dataclass(frozen=True, slots=True)
class Standing:
    """Attributes:
    accepted: None while a gateway has not looked at this generation.
    hollow: what it says of Services in which it finds no endpoint; "" if nothing.
    """

    accepted: bool | None
    reason: str
    message: str = ""
    hollow: str = ""


def standing(held: Object, parents: Sequence[ParentRef]) -> Standing:
    """The worst that is said for any of the parents: no, then not yet, then yes."""
    all_of = [_of_parent(held, parent) for parent in parents]
    hollow = " ".join(one.hollow for one in all_of if one.hollow)
    for wanted in (False, None):
        for one in all_of:
            if one.accepted is wanted:
                return Standing(one.accepted, one.reason, one.message, hollow)
    return Standing(True, "Accepted", "", hollow) if all_of else Standing(False, "NoParent", "no parentRef")


def hollow_services(text: str, services: Sequence[str]) -> frozenset[str]:
    """Of these Services, those that the gateway's words are about; a lone one without being named."""
    if not text:
        return frozenset()
    if len(services) == 1:
        return frozenset(services)
    return frozenset(name for name in services if name in text)


def _of_parent(held: Object, parent: ParentRef) -> Standing:
    namespace = held["metadata"]["namespace"]
    generation = held["metadata"].get("generation", 0)
    said = [
        one
        for one in (held.get("status") or {}).get("parents") or []
        if parent.names(one.get("parentRef") or {}, namespace)
    ]
    if not said:
        return Standing(None, "NotSeen", f"no gateway has looked at it for parentRef '{parent.name}'")
    conditions = [c for one in said for c in one.get("conditions") or []]
    fresh = [c for c in conditions if c.get("observedGeneration", 0) >= generation]
    hollow = " ".join(c.get("message") or c["type"] for c in fresh if _is_hollow(c))
    for kind in ("Accepted", "ResolvedRefs"):
        for one in fresh:
            if one["type"] == kind and one["status"] == "False" and not _is_hollow(one):
                return Standing(False, one.get("reason", kind), one.get("message", ""), hollow)
    for kind in ("Accepted", "ResolvedRefs"):
        if not any(one["type"] == kind and one["status"] != "Unknown" for one in fresh):
            return Standing(None, "Pending", f"the gateway has not seen generation {generation}", hollow)
    return Standing(True, "Accepted", "", hollow)


def _is_hollow(condition: Mapping[str, Any]) -> bool:
    if condition.get("reason") == "EndpointsNotFound":
        return True
    return bool(condition["type"] == "BackendsAvailable" and condition["status"] == "False")
