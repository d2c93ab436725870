"""The RayCluster of one task, made after the pod that asks for it: pure.

A head that takes no work, and as many workers as are asked for, each as the asking pod is: its image, its volumes, its
environment, its resources and its place among nodes. It is a RayCluster and no RayJob: a RayJob's status lives by Ray's
job server, which runs whatever anybody sends it; here nothing but the asking pod, which knows the token, gives work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from trimtab.adapters.children import MANAGED_BY
from trimtab.api.errors import InputRefused
from trimtab.ports.cluster import Kind, Object

RAY_CLUSTER: Final = Kind("ray.io", "v1", "RayCluster", "rayclusters")
HEAD_PORT: Final = 6379
NODE_PORT: Final = 6380
STORE_BYTES: Final = 80 << 20
CONTAINERS: Final = ("run", "main")
"""Names of the container that trains, in a Job of trimtab's and in a pod of Kubeflow Pipelines."""
QUEUE: Final = ("kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class")
GPU: Final = "nvidia.com/gpu"
ACCOUNT_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PLACED: Final = (
    "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "imagePullSecrets", "priorityClassName",
    "runtimeClassName", "schedulerName", "securityContext", "serviceAccountName",
)  # fmt: skip
HEAD_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "100m", "memory": "512Mi"},
    "limits": {"cpu": "1", "memory": "2Gi"},
}
WATCH_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "10m", "memory": "48Mi"},
    "limits": {"cpu": "200m", "memory": "128Mi"},
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task asks for.

    Attributes:
        workers: how many.
        cpus: that Ray counts for each.
        gpus: whether each has one.
        alive: the file that the asking pod touches as long as it lives.
        ray: its version, which must be the same in all.
    """

    workers: int
    cpus: int
    gpus: bool
    alive: Path
    ray: str


def name_of(own: Object) -> str:
    """One pod, one RayCluster at a time.

    >>> name_of({"metadata": {"uid": "0f3c2a91-aaaa-bbbb-cccc-000000000000"}})
    'trimtab-ray-0f3c2a91'
    """
    return f"trimtab-ray-{str(own['metadata']['uid'])[:8]}"


def address_of(own: Object) -> str:
    """Of its head, as pods reach it."""
    return f"{name_of(own)}-head-svc.{own['metadata']['namespace']}.svc:{HEAD_PORT}"


def metadata(own: Object) -> dict[str, Any]:
    """Of all that is made for the pod: it goes with it."""
    held = own["metadata"]
    labels = {name: text for name, text in (held.get("labels") or {}).items() if name in QUEUE}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": held["name"], "uid": held["uid"]}
    return {
        "name": name_of(own),
        "namespace": held["namespace"],
        "labels": {MANAGED_BY: "trimtab", **labels},
        "ownerReferences": [owner],
    }


def token_secret(own: Object, token: str) -> dict[str, Any]:
    """What all nodes of it know, and no other pod."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(own),
        "type": "Opaque",
        "immutable": True,
        "stringData": {"token": token},
    }


def ray_cluster(own: Object, wanted: Wanted) -> dict[str, Any]:
    """
    Args:
        own: the pod that asks.

    Raises:
        InputRefused: no other pod would see what it puts into `wanted.alive`'s folder.
    """
    shared_or_refused(own, wanted.alive.parent)
    each = {
        "disable-usage-stats": "true",
        "object-store-memory": str(STORE_BYTES),
        "include-log-monitor": "0",
        "node-manager-port": str(NODE_PORT),
    }
    head = {**each, "include-dashboard": "false", "no-monitor": "true", "num-cpus": "0", "num-gpus": "0"}
    worker = {**each, "num-cpus": str(wanted.cpus), "num-gpus": str(int(wanted.gpus))}
    return {
        "apiVersion": RAY_CLUSTER.api_version,
        "kind": RAY_CLUSTER.kind,
        "metadata": metadata(own),
        "spec": {
            "rayVersion": wanted.ray,
            "headGroupSpec": {"rayStartParams": head, "template": _head(own, wanted)},
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": wanted.workers,
                    "minReplicas": wanted.workers,
                    "maxReplicas": wanted.workers,
                    "rayStartParams": worker,
                    "template": _worker(own, wanted),
                }
            ],
        },
    }


def shared_or_refused(own: Object, folder: Path) -> None:
    """
    Raises:
        InputRefused: a folder does not lie on a volume that other pods can have too.
    """
    mounts = container_of(own).get("volumeMounts") or []
    above = [one for one in mounts if PurePosixPath(folder).is_relative_to(one["mountPath"])]
    deepest = max(above, key=lambda one: len(PurePosixPath(one["mountPath"]).parts), default=None)
    volumes = {one["name"]: one for one in own["spec"].get("volumes") or []}
    volume = volumes.get(deepest["name"], {}) if deepest is not None else {}
    if not volume or "emptyDir" in volume or "ephemeral" in volume:
        raise InputRefused(
            f"training.where: kuberay, but {folder} lies in this pod alone, where workers in other pods do not see it",
            remedy="mount a volume that several pods can write to (ReadWriteMany; on one node any) at the run's home: "
            "spec.pipeline.job.volumes and volumeMounts at /trimtab",
        )


def container_of(own: Object) -> Mapping[str, Any]:
    """The one that trains."""
    containers: list[Mapping[str, Any]] = own["spec"]["containers"]
    return next((one for one in containers if one["name"] in CONTAINERS), containers[0])


def wants_gpus(own: Object, device: str) -> bool:
    """Whether each worker has a GPU: `auto` follows the asking pod."""
    limits = (container_of(own).get("resources") or {}).get("limits") or {}
    return device == "cuda" or (device == "auto" and bool(limits.get(GPU)))


def _head(own: Object, wanted: Wanted) -> dict[str, Any]:
    """With a container beside it that takes the RayCluster away should the asking pod be gone without a word."""
    container = {**_container(own, "ray-head", HEAD_PORT), "resources": dict(HEAD_RESOURCES)}
    watch = {
        **{key: value for key, value in container.items() if not key.endswith("Probe")},
        "name": "watch",
        "command": ["python", "-m", "trimtab.adapters.kuberay.watch"],
        "args": [str(wanted.alive), name_of(own)],
        "resources": dict(WATCH_RESOURCES),
    }
    return _pod(own, [container, watch], knows_account=True)


def _worker(own: Object, wanted: Wanted) -> dict[str, Any]:
    asked = container_of(own).get("resources") or {}
    resources = {
        kind: {what: much for what, much in (asked.get(kind) or {}).items() if what != GPU}
        for kind in ("requests", "limits")
    }
    if wanted.gpus:
        resources["limits"][GPU] = "1"
    found = {kind: held for kind, held in resources.items() if held}
    return _pod(own, [{**_container(own, "ray-worker", NODE_PORT), "resources": found}], knows_account=False)


def _pod(own: Object, containers: list[dict[str, Any]], *, knows_account: bool) -> dict[str, Any]:
    spec = own["spec"]
    mounted = {mount["name"] for one in containers for mount in one["volumeMounts"]}
    volumes = [one for one in spec.get("volumes") or [] if one["name"] in mounted]
    if "ray-tmp" in mounted:
        volumes.append({"name": "ray-tmp", "emptyDir": {}})
    placed = {name: spec[name] for name in PLACED if name in spec}
    return {
        "metadata": {"labels": {MANAGED_BY: "trimtab"}},
        "spec": {
            **placed,
            "automountServiceAccountToken": knows_account,
            "terminationGracePeriodSeconds": 5,
            "containers": containers,
            "volumes": volumes,
        },
    }


def _container(own: Object, name: str, port: int) -> dict[str, Any]:
    """KubeRay says what it runs. Its own probes would ask, by wget, a dashboard that is not there."""
    held = container_of(own)
    mounts = [one for one in held.get("volumeMounts") or [] if one["mountPath"] != ACCOUNT_MOUNT]
    if all(one["mountPath"] != "/tmp" for one in mounts):
        mounts.append({"name": "ray-tmp", "mountPath": "/tmp"})
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 2, "failureThreshold": 60}
    kept = {
        key: held[key] for key in ("image", "imagePullPolicy", "envFrom", "securityContext") if key in held
    }
    secret = {"secretKeyRef": {"name": name_of(own), "key": "token"}}
    env = [
        *(held.get("env") or []),
        {"name": "RAY_AUTH_MODE", "value": "token"},
        {"name": "RAY_AUTH_TOKEN", "valueFrom": secret},
        {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
    ]
    return {
        **kept,
        "name": name,
        "env": env,
        "volumeMounts": mounts,
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
