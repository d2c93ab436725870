"""What a ModelRollout leaves when it is deleted with `deletionPolicy: Retain`.

Its route, its Service and the server in service lose their owner and go on as they are; candidates and previous ones
keep it, and the garbage collector takes them. With `Delete` everything keeps its owner, and nothing is to be done.
"""

from trimtab.adapters.children import REVISION, ROLLOUT, Json, Place
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE, SERVICE
from trimtab.adapters.gateway_api.route import route_name
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.ports.cluster import Cluster, Object


def release(cluster: Cluster, place: Place, serving: frozenset[str]) -> int:
    """Take the owner off what must stay; returns how many were written. Idempotent.

    Args:
        serving: revisions that the route still names.
    """
    kept = [
        one
        for one in cluster.list(INFERENCE_SERVICE, place.namespace, {ROLLOUT: place.label})
        if one["metadata"]["labels"].get(REVISION) in serving
    ]
    for kind, name in ((HTTP_ROUTE, route_name(place.rollout)), (SERVICE, place.rollout)):
        held = cluster.read(kind, place.namespace, name)
        kept += [held] if held is not None else []
    written = 0
    for held in kept:
        if (fresh := without_owner(held, place.uid)) is not None:
            cluster.replace(fresh, account=place.account)
            written += 1
    return written


def without_owner(held: Object, uid: str) -> Json | None:
    """The object without this owner; None where it has no such one."""
    owners = held["metadata"].get("ownerReferences") or []
    others = [one for one in owners if one.get("uid") != uid]
    if len(others) == len(owners):
        return None
    return {**held, "metadata": {**held["metadata"], "ownerReferences": others}}
