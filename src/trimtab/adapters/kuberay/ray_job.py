"""The RayJob of one task, made after the pod that asks for it: pure.

A head that drives and takes no work, and as many workers as are asked for, each as the asking pod is: its image, its
volumes, its environment, its resources and its place among nodes. KubeRay's operator submits the job by HTTP to the
head, which lets in who has the token that the operator made for this RayCluster
(https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth.html).
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from trimtab.adapters.children import MANAGED_BY
from trimtab.adapters.kubernetes.in_pod import ACCOUNT
from trimtab.adapters.ray.session import STORE_BYTES
from trimtab.api.errors import InputRefused
from trimtab.ports.cluster import Kind, Object

RAY_JOB: Final = Kind("ray.io", "v1", "RayJob", "rayjobs")
HEAD_PORT: Final = 6379
NODE_PORT: Final = 6380
HEAD, WATCH, WORKER = "ray-head", "watch", "ray-worker"
CONTAINERS: Final = ("run", "main")
"""Names of the container that trains, in a Job of trimtab's and in a pod of Kubeflow Pipelines."""
QUEUE, PRIORITY = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"
GPU: Final = "nvidia.com/gpu"
ACCELERATORS: Final = re.compile(r"/.*(gpu|mig-|accelerator)|^gpu\..*/")
"""Names of resources of which a worker takes one: not those of a network card, which it has as the asking pod does."""
ACCOUNT_MOUNT: Final = str(ACCOUNT)
ACCOUNT_VOLUME: Final[Mapping[str, Any]] = {
    "name": "trimtab-account",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                }
            },
        ]
    },
}
"""As Kubernetes mounts it by itself, but into one container."""
OF_ONE_POD: Final = ("emptyDir", "ephemeral", "csi")
TOKEN_MODE: Final = {"name": "RAY_AUTH_MODE", "value": "token"}
"""KubeRay says so too. Where it does not know how, Ray does not start, rather than to be open to all."""
OTHER_RAY: Final = (
    "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD",
    "RAY_enable_autoscaler_v2",
)  # fmt: skip
"""What the asking pod's environment says of a Ray that is not this one, or KubeRay refuses of a head."""
TMP: Final = "/tmp"
"""Ray's own place, with sockets in it: no two nodes may share it."""
PLACED: Final = (
    "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "imagePullSecrets", "priorityClassName",
    "runtimeClassName", "schedulerName", "securityContext",
)  # fmt: skip
HEAD_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "100m", "memory": "1Gi"},
    "limits": {"cpu": "2", "memory": "4Gi"},
}
"""Ray's own processes, its dashboard and job server, and the driver."""
KEPT_S: Final = 60
"""What a job that failed leaves stands so long, for who asked to see why."""
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
        room: the folder in which the work lies, and in which the asking pod lets know that it lives.
        ray: its version, which must be the same in all.
        queue: of Kueue's, in which it waits; "" for the asking pod's, if it has one.
    """

    workers: int
    cpus: int
    gpus: bool
    room: Path
    ray: str
    queue: str = ""


def name_of(own: Object) -> str:
    """One pod, one RayJob at a time.

    >>> name_of({"metadata": {"uid": "0f3c2a91-aaaa-bbbb-cccc-000000000000"}})
    'trimtab-ray-0f3c2a91'
    """
    return f"trimtab-ray-{str(own['metadata']['uid'])[:8]}"


def metadata(own: Object) -> dict[str, Any]:
    """Of all that is made for the pod: it goes with it."""
    held = own["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": held["name"], "uid": held["uid"]}
    return {
        "name": name_of(own),
        "namespace": held["namespace"],
        "labels": {MANAGED_BY: "trimtab"},
        "ownerReferences": [owner],
    }


def queued(own: Object, queue: str) -> dict[str, str]:
    """Labels that say to Kueue where it waits, and how urgent it is."""
    held = own["metadata"].get("labels") or {}
    return {name: held[name] for name in (QUEUE, PRIORITY) if name in held} | (
        {QUEUE: queue} if queue else {}
    )


def ray_job(own: Object, wanted: Wanted) -> dict[str, Any]:
    """
    Args:
        own: the pod that asks.

    Raises:
        InputRefused: no other pod would see what it puts into `wanted.room`.
    """
    shared_or_refused(own, wanted.room)
    meta = metadata(own)
    meta["labels"] |= queued(own, wanted.queue)
    return {
        "apiVersion": RAY_JOB.api_version,
        "kind": RAY_JOB.kind,
        "metadata": meta,
        "spec": {
            "entrypoint": f"python -m trimtab.adapters.kuberay.driver {shlex.quote(str(wanted.room))}",
            "submissionMode": "HTTPMode",
            "backoffLimit": 0,
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": KEPT_S,
            "rayClusterSpec": _cluster(own, wanted),
        },
    }


def _cluster(own: Object, wanted: Wanted) -> dict[str, Any]:
    each = {
        "disable-usage-stats": "true",
        "object-store-memory": str(STORE_BYTES),
        "include-log-monitor": "0",
        "node-manager-port": str(NODE_PORT),
    }
    head = {**each, "no-monitor": "true", "num-cpus": "0", "num-gpus": "0"}
    worker = {**each, "num-cpus": str(wanted.cpus), "num-gpus": str(int(wanted.gpus))}
    workers = {
        "groupName": "workers",
        "replicas": wanted.workers,
        "minReplicas": wanted.workers,
        "maxReplicas": wanted.workers,
        "rayStartParams": worker,
        "template": _worker(own, wanted),
    }
    return {
        "rayVersion": wanted.ray,
        "authOptions": {"mode": "token"},
        "headGroupSpec": {"rayStartParams": head, "template": _head(own, wanted)},
        "workerGroupSpecs": [workers],
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
    apart = any(kind in volume for kind in OF_ONE_POD) or (deepest or {}).get("subPathExpr")
    if not volume or apart:
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
    return device == "cuda" or (device == "auto" and accelerator(own) is not None)


def accelerator(own: Object) -> str | None:
    """The resource by which the asking pod has an accelerator, as it is named on its cluster; None if it has none.

    >>> accelerator({"spec": {"containers": [{"name": "run", "resources": {"limits": {"amd.com/gpu": "1"}}}]}})
    'amd.com/gpu'
    """
    limits = (container_of(own).get("resources") or {}).get("limits") or {}
    return next((what for what in limits if ACCELERATORS.search(what)), None)


def _head(own: Object, wanted: Wanted) -> dict[str, Any]:
    """With a container beside it that takes the RayJob away should the asking pod be gone without a word."""
    container = {**_container(own, HEAD, HEAD_PORT), "resources": dict(HEAD_RESOURCES)}
    account = {"name": ACCOUNT_VOLUME["name"], "mountPath": ACCOUNT_MOUNT, "readOnly": True}
    watch = {
        **{key: value for key, value in container.items() if not key.endswith("Probe")},
        "name": WATCH,
        "command": ["python", "-m", "trimtab.adapters.kuberay.watch"],
        "args": [str(wanted.room), name_of(own)],
        "resources": dict(WATCH_RESOURCES),
        "volumeMounts": [*container["volumeMounts"], account],
    }
    made = _pod(own, [container, watch])
    made["spec"]["volumes"].append(dict(ACCOUNT_VOLUME))
    if "serviceAccountName" in own["spec"]:
        made["spec"]["serviceAccountName"] = own["spec"]["serviceAccountName"]
    return made


def _worker(own: Object, wanted: Wanted) -> dict[str, Any]:
    asked = container_of(own).get("resources") or {}
    resources = {
        kind: {what: much for what, much in (asked.get(kind) or {}).items() if not ACCELERATORS.search(what)}
        for kind in ("requests", "limits")
    }
    if wanted.gpus:
        resources["limits"][accelerator(own) or GPU] = "1"
    found = {kind: held for kind, held in resources.items() if held}
    return _pod(own, [{**_container(own, WORKER, NODE_PORT), "resources": found}])


def _pod(own: Object, containers: list[dict[str, Any]]) -> dict[str, Any]:
    """A token of the service account is mounted nowhere by itself."""
    spec = own["spec"]
    mounted = {mount["name"] for one in containers for mount in one["volumeMounts"]}
    volumes = [one for one in spec.get("volumes") or [] if one["name"] in mounted]
    return {
        "metadata": {"labels": {MANAGED_BY: "trimtab"}},
        "spec": {
            **{name: spec[name] for name in PLACED if name in spec},
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 5,
            "containers": containers,
            "volumes": [*volumes, {"name": "ray-tmp", "emptyDir": {}}],
        },
    }


def _container(own: Object, name: str, port: int) -> dict[str, Any]:
    """KubeRay says what it runs, and the token. Its own probes would ask by wget, which an image may not have."""
    held = container_of(own)
    tokens = {one["name"] for one in own["spec"].get("volumes") or [] if _holds_token(one)}
    mounts = [
        one
        for one in held.get("volumeMounts") or []
        if one["name"] not in tokens and one["mountPath"].rstrip("/") != TMP
    ]
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 2, "failureThreshold": 60}
    kept = {
        key: held[key] for key in ("image", "imagePullPolicy", "envFrom", "securityContext") if key in held
    }
    return {
        **kept,
        "name": name,
        "env": _environment(own),
        "volumeMounts": [*mounts, {"name": "ray-tmp", "mountPath": TMP}],
        "readinessProbe": probe,
        "livenessProbe": probe,
    }


def _environment(own: Object) -> list[dict[str, Any]]:
    """Each name once, as the RayCluster's list wants it and a Pod's does not."""
    env = [
        *(one for one in container_of(own).get("env") or [] if one["name"] not in OTHER_RAY),
        dict(TOKEN_MODE),
        {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
    ]
    return list({one["name"]: one for one in env}.values())


def _holds_token(volume: Mapping[str, Any]) -> bool:
    """Whether a pod says by it who it is, to the API server or to a cloud."""
    sources = (volume.get("projected") or {}).get("sources") or []
    return any("serviceAccountToken" in one for one in sources)
