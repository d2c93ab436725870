"""Another route that takes our requests: same gateway, host and match. The older one wins, says the Gateway API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Object


def conflicts(ours: Object, others: Sequence[Object], parents: Sequence[ParentRef]) -> list[str]:
    """`<namespace>/<name>` of each route that wins over ours for a host and a match, oldest first."""
    own_matches, own_age, own_uid = _matches(ours), _age(ours), ours["metadata"].get("uid")
    own_parents = {(parent.namespace or ours["metadata"]["namespace"], parent.name) for parent in parents}
    own_hosts = set(ours["spec"].get("hostnames") or ["*"])
    # There may be thousands, of which a few share a host, and the fewest a match: what tells most apart comes first.
    winning = [
        other
        for other in others
        if not own_hosts.isdisjoint((other.get("spec") or {}).get("hostnames") or ["*"])
        and other["metadata"].get("uid") != own_uid
        and any(match in own_matches for match in _matches(other))
        and not own_parents.isdisjoint(_parents(other))
        and _age(other) < own_age
    ]
    return [f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in sorted(winning, key=_age)]


def _age(held: Object) -> tuple[str, str, str]:
    meta = held["metadata"]
    return str(meta.get("creationTimestamp", "9999")), meta["namespace"], meta["name"]


def _parents(held: Object) -> Iterator[tuple[str, str]]:
    here = held["metadata"]["namespace"]
    for ref in (held.get("spec") or {}).get("parentRefs") or []:
        yield ref.get("namespace", here), ref["name"]


def _matches(held: Object) -> list[Mapping[str, Any]]:
    """Each match as the API server stores it, without what stands for nothing."""
    rules = (held.get("spec") or {}).get("rules") or []
    found = [one for rule in rules for one in rule.get("matches") or [{}]]
    every = {"type": "PathPrefix", "value": "/"}
    return [{"path": every, **{key: value for key, value in one.items() if value}} for one in found]
