"""What is watched, and whom a change wakes. Our own status writes wake nobody."""

from collections.abc import Callable, Iterable, Iterator

from operators.drift.caches import Caches, Watched
from operators.drift.cluster import WatchedCluster
from operators.drift.runtime import Key, Object, key_of, labels_of
from trimtab.adapters.children import ROLLOUT
from trimtab.adapters.gateway_api.kinds import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE
from trimtab.adapters.gateway_api.kinds import SERVICE as ANY_SERVICE
from trimtab.adapters.kserve.kinds import (
    CLUSTER_SERVING_RUNTIME,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    POD,
    SERVING_RUNTIME,
)
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.adapters.namespaced_collector import SERVICE, STATEFUL_SET
from trimtab.ports.cluster import Kind

NAME_LABEL = "app.kubernetes.io/name"
ToKeys = Callable[[Object | None, Object | None], Iterable[Key]]

WATCHED: tuple[Watched, ...] = (
    Watched(MODEL_ROLLOUT),
    Watched(DRIFT_MONITOR),
    Watched(RETRAIN_POLICY),
    Watched(INFERENCE_SERVICE, ROLLOUT),
    Watched(DEPLOYMENT, ROLLOUT),
    Watched(POD, ROLLOUT),
    Watched(HTTP_ROUTE),
    Watched(STATEFUL_SET, NAME_LABEL, "trimtab-collector"),
    Watched(SERVICE, NAME_LABEL, "trimtab-collector"),
)
OTHERS: tuple[Kind, ...] = (GATEWAY, GATEWAY_CLASS, ANY_SERVICE, SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)
"""Read from the API server when they are asked for."""
CHILDREN = (INFERENCE_SERVICE, DEPLOYMENT, POD, HTTP_ROUTE)


def own(cluster: WatchedCluster) -> ToKeys:
    """The object itself, unless it is our own last write of it: what we said of it is no news."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        if new is None and old is not None:
            cluster.forget(old)
            yield key_of(old)
        elif new is not None and not cluster.wrote(new):
            yield key_of(new)

    return keys


def rollouts_of(caches: Caches) -> ToKeys:
    """The rollout whose child it is; by its label, which for a long name is a cut of it."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        label = labels_of(obj).get(ROLLOUT) if obj is not None else None
        if obj is None or label is None:
            return
        namespace = obj["metadata"]["namespace"]
        if caches.get(MODEL_ROLLOUT, namespace, label) is not None:
            yield Key(namespace, label)
            return
        owners = obj["metadata"].get("ownerReferences") or []
        for owner in owners:
            if owner.get("kind") == MODEL_ROLLOUT.kind:
                yield Key(namespace, owner["name"])

    return keys
