"""A rollout that goes. With deletionPolicy Retain, route and servers in use lose their owner first, and go on."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from operators.drift.handlers.target import place_of
from trimtab.adapters.gateway_api import GatewayApi
from trimtab.adapters.kubernetes.kinds import FINALIZER, NAMESPACE
from trimtab.adapters.retained import release
from trimtab.api.resources import ModelRollout
from trimtab.api.resources.rollout import DeletionPolicy
from trimtab.api.rollout_status import RevisionRef
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.gateway import Split

RELEASED_WITHIN_S: Final = 30.0
"""A deletion waits so long for a gateway to lead everything to stable."""


def finalized(cluster: Cluster, obj: Object, wanted: bool) -> None:
    """With our finalizer, or without it."""
    finalizers = list(obj["metadata"].get("finalizers") or [])
    if wanted != (FINALIZER in finalizers):
        wished = [*finalizers, FINALIZER] if wanted else [one for one in finalizers if one != FINALIZER]
        cluster.replace({**obj, "metadata": {**obj["metadata"], "finalizers": wished}})


def stays(cluster: Cluster, rollout: ModelRollout) -> bool:
    """Whether what serves is to go on without its rollout. In a namespace that goes too, nothing is kept."""
    if rollout.spec.deletion_policy is not DeletionPolicy.RETAIN:
        return False
    namespace = cluster.read(NAMESPACE, "", rollout.metadata.namespace)
    return namespace is not None and not namespace["metadata"].get("deletionTimestamp")


def released(
    cluster: Cluster,
    gateway: GatewayApi,
    rollout: ModelRollout,
    obj: Object,
    stable: RevisionRef | None,
    now: datetime,
) -> bool:
    """Lead every request to stable, then free route and servers; False while that is waited for.

    Raises:
        SurroundingsFailed, InputRefused, RouteRefused
    """
    host = rollout.metadata.name
    split = gateway.split(host)
    alone = Split({stable.revision: 100}) if stable is not None else None
    if split is not None and alone is not None and replace(split, in_effect=True, empty=frozenset()) != alone:
        gateway.apply(host, alone)
        split = gateway.split(host)
    waited_s = (now - _since(obj, now)).total_seconds()
    if split is not None and not split.in_effect and waited_s < RELEASED_WITHIN_S:
        return False
    release(cluster, place_of(rollout), frozenset(split.weights) if split is not None else frozenset())
    return True


def _since(obj: Object, now: datetime) -> datetime:
    """When its deletion was asked for."""
    try:
        return datetime.fromisoformat(str(obj["metadata"]["deletionTimestamp"]))
    except ValueError:
        return now
