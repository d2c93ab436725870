"""Another route that takes our requests: same gateway, host and match. The older one wins, says the Gateway API."""

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Object


def conflicts(ours: Object, others: Sequence[Object], parents: Sequence[ParentRef]) -> list[str]:
    """`<namespace>/<name>` of each route that wins over ours for a host and a match, oldest first."""
    own_matches = _matches(ours)
    own_hosts = set(ours["spec"].get("hostnames") or ["*"])
    winning = [
        other
        for other in others
        if other["metadata"].get("uid") != ours["metadata"].get("uid")
        and _age(other) < _age(ours)
        and _shares_parent(ours, other, parents)
        and own_hosts & set((other.get("spec") or {}).get("hostnames") or ["*"])
        and any(match in own_matches for match in _matches(other))
    ]
    return [f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in sorted(winning, key=_age)]


def _age(held: Object) -> tuple[str, str, str]:
    meta = held["metadata"]
    return str(meta.get("creationTimestamp", "9999")), meta["namespace"], meta["name"]


def _shares_parent(ours: Object, other: Object, parents: Sequence[ParentRef]) -> bool:
    here, there = ours["metadata"]["namespace"], other["metadata"]["namespace"]
    theirs = {
        (ref.get("namespace", there), ref["name"])
        for ref in (other.get("spec") or {}).get("parentRefs") or []
    }
    return any((parent.namespace or here, parent.name) in theirs for parent in parents)


def _matches(held: Object) -> list[Mapping[str, Any]]:
    """Each match as the API server stores it, without what stands for nothing."""
    rules = (held.get("spec") or {}).get("rules") or []
    found = [one for rule in rules for one in rule.get("matches") or [{}]]
    every = {"type": "PathPrefix", "value": "/"}
    return [{"path": every, **{key: value for key, value in one.items() if value}} for one in found]
