"""What is watched, and whom a change wakes. Our own status writes wake nobody."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from operators.drift.caches import Caches, Watched
from operators.drift.cluster import WatchedCluster
from operators.drift.runtime import Key, Object, key_of, labels_of
from trimtab.adapters.children import ROLLOUT
from trimtab.adapters.gateway_api.gateways import said
from trimtab.adapters.gateway_api.kinds import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE
from trimtab.adapters.jobs import JOB
from trimtab.adapters.kserve.kinds import (
    CLUSTER_SERVING_RUNTIME,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    POD,
    SERVING_RUNTIME,
)
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.adapters.namespaced_collector import NETWORK_POLICY, SERVICE, STATEFUL_SET
from trimtab.adapters.namespaced_collector.objects import NAME as COLLECTOR
from trimtab.ports.cluster import Kind

RUN = "trimtab.dev/run"
POLICY = "trimtab.dev/policy"
NAME_LABEL = "app.kubernetes.io/name"
ToKeys = Callable[[Object | None, Object | None], Iterable[Key]]

WATCHED: tuple[Watched, ...] = (
    Watched(MODEL_ROLLOUT),
    Watched(DRIFT_MONITOR),
    Watched(RETRAIN_POLICY),
    Watched(INFERENCE_SERVICE, ROLLOUT),
    Watched(DEPLOYMENT, ROLLOUT),
    Watched(POD, ROLLOUT),
    Watched(POD, RUN),
    Watched(JOB, RUN),
    Watched(HTTP_ROUTE),
    Watched(GATEWAY, everywhere=True),
    Watched(GATEWAY_CLASS),
    Watched(SERVING_RUNTIME),
    Watched(CLUSTER_SERVING_RUNTIME),
    Watched(STATEFUL_SET, NAME_LABEL, COLLECTOR),
    Watched(SERVICE, NAME_LABEL, COLLECTOR),
    Watched(NETWORK_POLICY, NAME_LABEL, COLLECTOR),
    Watched(SERVICE, ROLLOUT),
)
CHILDREN = (INFERENCE_SERVICE, DEPLOYMENT, POD, HTTP_ROUTE, SERVICE)
RUNTIMES = (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)
OF_RUNS = (JOB, POD)
OF_COLLECTORS = (STATEFUL_SET, SERVICE, NETWORK_POLICY)
SERVED = ("stable", "candidate", "previous", "rejected", "phase")
"""What a rollout's status tells monitors and policies."""


def wakes(caches: Caches) -> Mapping[Kind, Sequence[tuple[Kind, ToKeys]]]:
    """By the kind that is looked at: (another kind, whom its changes wake)."""
    return {
        MODEL_ROLLOUT: [
            *((kind, rollouts_of(caches)) for kind in CHILDREN),
            (GATEWAY, rollouts_at(caches)),
            (GATEWAY_CLASS, rollouts_at_class(caches)),
            *((kind, rollouts_run_by(caches)) for kind in RUNTIMES),
        ],
        DRIFT_MONITOR: [
            (MODEL_ROLLOUT, monitors_of(caches)),
            *((kind, monitors_beside(caches)) for kind in OF_COLLECTORS),
        ],
        RETRAIN_POLICY: [
            (DRIFT_MONITOR, policies_of_monitor(caches)),
            (MODEL_ROLLOUT, policies_of_rollout(caches)),
            *((kind, policy_of_run) for kind in OF_RUNS),
        ],
    }


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


def rollouts_at(caches: Caches) -> ToKeys:
    """Those whose route names a Gateway that came, went, or is reached otherwise: routes that attach are no news."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        if obj is not None and entrance(old) != entrance(new):
            gateway = key_of(obj)
            yield from (key_of(one) for one in caches.list(MODEL_ROLLOUT, "") if gateway in gateways_of(one))

    return keys


def rollouts_at_class(caches: Caches) -> ToKeys:
    """Those at the Gateways of a class whose abilities are others now."""
    at = rollouts_at(caches)

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        if obj is None or abilities(old) == abilities(new):
            return
        for gateway in caches.list(GATEWAY, ""):
            if (gateway.get("spec") or {}).get("gatewayClassName") == obj["metadata"]["name"]:
                yield from at(None, gateway)

    return keys


def rollouts_run_by(caches: Caches) -> ToKeys:
    """Those whose template names a runtime that came, went or was changed, or leaves it to KServe which one it is."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        if obj is None or told(old, ()) == told(new, ()):
            return
        namespace, name = key_of(obj)
        for one in caches.list(MODEL_ROLLOUT, namespace):
            if name in runtimes_of(one, name):
                yield key_of(one)

    return keys


def monitors_of(caches: Caches) -> ToKeys:
    """The monitors of a rollout of which another revision became stable, or whose spec is another."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        if told(old, ("stable",)) != told(new, ("stable",)):
            yield from naming(caches, DRIFT_MONITOR, new or old, rollout_of_monitor)

    return keys


def monitors_beside(caches: Caches) -> ToKeys:
    """Every monitor of a namespace whose collector changed."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        if obj is not None and labels_of(obj).get(NAME_LABEL) == COLLECTOR:
            yield from map(key_of, caches.list(DRIFT_MONITOR, obj["metadata"]["namespace"]))

    return keys


def policies_of_rollout(caches: Caches) -> ToKeys:
    """The policies whose new model is for a rollout, by name or by their monitor."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        obj = new or old
        if obj is None or told(old, SERVED) == told(new, SERVED):
            return
        yield from naming(caches, RETRAIN_POLICY, obj, rollout_of_policy)
        for monitor in naming(caches, DRIFT_MONITOR, obj, rollout_of_monitor):
            held = caches.get(DRIFT_MONITOR, *monitor)
            yield from naming(caches, RETRAIN_POLICY, held, monitor_of_policy)

    return keys


def policies_of_monitor(caches: Caches) -> ToKeys:
    """The policies that a monitor's episodes may pull."""

    def keys(old: Object | None, new: Object | None) -> Iterator[Key]:
        if told(old, ("episodes",)) != told(new, ("episodes",)):
            yield from naming(caches, RETRAIN_POLICY, new or old, monitor_of_policy)

    return keys


def policy_of_run(old: Object | None, new: Object | None) -> Iterator[Key]:
    """The policy that asked for a Job, or for a Job's pod."""
    obj = new or old
    if obj is not None and (policy := labels_of(obj).get(POLICY)):
        yield Key(obj["metadata"]["namespace"], policy)


def told(obj: Object | None, fields: Sequence[str]) -> object:
    """What others may act upon: which object it is, its spec's generation, and some fields of its status."""
    if obj is None:
        return None
    status = obj.get("status") or {}
    return (
        obj["metadata"].get("uid"),
        obj["metadata"].get("generation"),
        *(status.get(field) for field in fields),
    )


def entrance(gateway: Object | None) -> object:
    """What of a Gateway says how it is reached; None where there is none."""
    return None if gateway is None else (gateway["metadata"].get("uid"), said(gateway))


def abilities(gateway_class: Object | None) -> object:
    """What a GatewayClass lists; None where there is none."""
    return None if gateway_class is None else (gateway_class.get("status") or {}).get("supportedFeatures")


def gateways_of(rollout: Object) -> Iterator[Key]:
    """The Gateways that a rollout's route names."""
    for parent in ((rollout.get("spec") or {}).get("route") or {}).get("parentRefs") or []:
        yield Key(parent.get("namespace") or rollout["metadata"]["namespace"], str(parent.get("name", "")))


def runtimes_of(rollout: Object, any_of: str) -> Iterator[str]:
    """The runtime that a rollout's predictor names; `any_of` where it has a model format alone."""
    template = ((rollout.get("spec") or {}).get("serving") or {}).get("template")
    predictor = template.get("predictor") if isinstance(template, Mapping) else None
    model = predictor.get("model") if isinstance(predictor, Mapping) else None
    if isinstance(model, Mapping):
        yield str(model.get("runtime") or any_of)


def naming(
    caches: Caches, kind: Kind, named: Object | None, names: Callable[[Object], Iterable[str]]
) -> Iterator[Key]:
    """The objects of a kind that name another one of their namespace."""
    if named is None:
        return
    for obj in caches.list(kind, named["metadata"]["namespace"]):
        if named["metadata"]["name"] in names(obj):
            yield key_of(obj)


def rollout_of_monitor(obj: Object) -> Iterator[str]:
    if reference := ((obj.get("spec") or {}).get("target") or {}).get("rolloutRef"):
        yield str(reference)


rollout_of_policy = rollout_of_monitor
"""A policy's target is of the same form."""


def monitor_of_policy(obj: Object) -> Iterator[str]:
    for trigger in (obj.get("spec") or {}).get("triggers") or []:
        for kind in ("performance", "drift"):
            if reference := (trigger.get(kind) or {}).get("monitorRef"):
                yield str(reference)
