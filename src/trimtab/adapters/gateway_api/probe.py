"""A route of one path of our own, whose requests a gateway is to lead to the collector and to copy there: pure.

Request and copy both come to the collector, so that it sees each id twice; no model server is asked anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trimtab.adapters.children import Json, Place
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.listeners import Listener
from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Object
from trimtab.ports.gateway import Mirroring

PATH: Final = "/trimtab-probe/"
COLLECTOR: Final = "trimtab-collector"
COLLECTOR_PORT: Final = 80
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the collector counted of a nonce.

    Attributes:
        requests: copies among them.
        pairs: X-Request-Ids that came exactly twice.
    """

    requests: int
    ids: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What was sent for a nonce.

    Attributes:
        answered: by the collector.
        lost: sent and not answered: they may have come, or not.
        rounds: those of which at least one request was answered.
    """

    answered: int = 0
    lost: int = 0
    rounds: int = 0


def probe_name(rollout: str) -> str:
    """
    >>> probe_name("flights")
    'flights-trimtab-probe'
    """
    return f"{rollout}-trimtab-probe"


def probe_route(place: Place, parent: ParentRef, hosts: Sequence[str], nonce: str) -> Json:
    backend: Json = {"group": "", "kind": "Service", "name": COLLECTOR, "port": COLLECTOR_PORT}
    rule: Json = {
        "matches": [{"path": {"type": "Exact", "value": f"{PATH}{nonce}"}}],
        "backendRefs": [{**backend, "weight": 1}],
        "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}],
    }
    meta: Json = {
        "name": probe_name(place.rollout),
        "namespace": place.namespace,
        "labels": place.labels,
    }
    if place.uid:
        meta["ownerReferences"] = place.owners
    spec: Json = {"parentRefs": [parent.to_json()], "rules": [rule]}
    if hosts:
        spec["hostnames"] = list(hosts)
    return {"apiVersion": HTTP_ROUTE.api_version, "kind": HTTP_ROUTE.kind, "metadata": meta, "spec": spec}


def nonce_of(held: Object) -> str:
    """Which trial a probe's route is of; "" if of none."""
    for rule in (held.get("spec") or {}).get("rules") or []:
        for match in rule.get("matches") or []:
            value = str((match.get("path") or {}).get("value", ""))
            if value.startswith(PATH):
                return value.removeprefix(PATH)
    return ""


def judged(asked: Asked, arrived: Arrived) -> Mirroring | None:
    """Whether the gateway copies; None while that cannot be told.

    >>> judged(Asked(answered=5, rounds=1), Arrived(requests=10, ids=5, pairs=5))
    Mirroring(supported=True, paired=True, because='')
    """
    copies = arrived.requests - asked.answered - asked.lost
    if asked.answered == 0:
        return None
    # Copies are on their way for a moment longer than requests: some may still come.
    if copies >= asked.answered or (copies > 0 and asked.rounds >= ROUNDS):
        if arrived.pairs >= copies:
            return Mirroring(True, True)
        return Mirroring(True, False, "request and copy carry different X-Request-Ids")
    if copies <= 0 and asked.rounds >= ROUNDS:
        return Mirroring(False, None, f"of {asked.answered} marked requests it sent no copy")
    return None


def host_of(listener: Listener, hosts: Sequence[str]) -> str:
    """A host of the route that the listener takes, with no asterisk in it; "" if there is none."""
    wished = [one.replace("*", "trimtab-probe") for one in hosts]
    if not wished:
        return (listener.hostname or "trimtab-probe.example").replace("*", "trimtab-probe")
    return next((one for one in wished if listener.takes(one)), "")
