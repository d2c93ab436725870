"""What a namespace's collector is made of: a StatefulSet of one, the Service that every logger names, a NetworkPolicy.

One replica, since two would each hold half of the events; a StatefulSet, since it ends the old pod before it starts
the next, so that one process at a time appends to the log. The log is on a claimed volume where a size is given,
else in the pod: then a lost pod loses what it had counted, and the checks that rested on it end Inconclusive.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trimtab.adapters.namespaced_collector.fence import Fence, network_policy
from trimtab.ports.cluster import Object

NAME: Final = "trimtab-collector"
PORT: Final = 8080
FOLDER: Final = "/var/lib/trimtab"
CONFIG: Final = "trimtab.dev/config"
"""Annotation: digest of what was asked for, so that a look that finds it writes nothing."""
UID: Final = 65532
LABELS: Final[Mapping[str, str]] = {
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/part-of": "trimtab",
    "app.kubernetes.io/managed-by": "trimtab-operator",
}


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """How the operator's configuration wants collectors.

    Attributes:
        image: that of the operator; it holds both.
        storage: size of the claimed volume such as 10Gi; "" keeps the log in the pod.
        storage_class: "" takes the cluster's default.
        cpu, memory: requests; memory is the limit too.
        keep_days: event time that is held.
        image_pull_policy: as in a container.
        image_pull_secrets: names of Secrets of each namespace that has a collector; one that is not there is passed
            over by the kubelet.
        node_selector: labels of the nodes that may run it.
        fence: who may ask them; None for no NetworkPolicy, and whoever reaches one may.
    """

    image: str
    storage: str = "10Gi"
    storage_class: str = ""
    cpu: str = "100m"
    memory: str = "512Mi"
    keep_days: int = 400
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    fence: Fence | None = None


def address(namespace: str) -> str:
    """Where a namespace's collector answers, in the cluster.

    >>> address("shop")
    'http://trimtab-collector.shop.svc'
    """
    return f"http://{NAME}.{namespace}.svc"


def collector_objects(namespace: str, settings: CollectorSettings) -> tuple[Object, Object, Object | None]:
    """(StatefulSet, Service, NetworkPolicy or None), each with the digest of what it was made from."""
    fence = network_policy(namespace, NAME, LABELS, settings.fence) if settings.fence is not None else None
    made = stateful_set(namespace, settings), service(namespace), fence
    for one in filter(None, made):
        text = json.dumps(one, sort_keys=True)
        one["metadata"]["annotations"] = {CONFIG: hashlib.sha256(text.encode()).hexdigest()[:16]}
    return made


def service(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(LABELS)},
        "spec": {
            "selector": {"app.kubernetes.io/name": NAME},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def stateful_set(namespace: str, settings: CollectorSettings) -> dict[str, Any]:
    pod = {
        "metadata": {"labels": dict(LABELS)},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": UID,
                "runAsGroup": UID,
                "fsGroup": UID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(settings)],
            **({"nodeSelector": dict(settings.node_selector)} if settings.node_selector else {}),
            **(
                {"imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets]}
                if settings.image_pull_secrets
                else {}
            ),
            **({} if settings.storage else {"volumes": [{"name": "log", "emptyDir": {}}]}),
        },
    }
    spec: dict[str, Any] = {
        "serviceName": NAME,
        "replicas": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
        "template": pod,
    }
    if settings.storage:
        spec["volumeClaimTemplates"] = [_claim(settings)]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(LABELS)},
        "spec": spec,
    }


def _container(settings: CollectorSettings) -> dict[str, Any]:
    return {
        "name": "collector",
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python3", "-m", "trimtab.bootstrap.collector"],
        "args": [
            "--dir", f"{FOLDER}/log", "--host", "0.0.0.0", "--http-port", str(PORT),
            "--keep-days", str(settings.keep_days),
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": {
            "requests": {"cpu": settings.cpu, "memory": settings.memory},
            "limits": {"memory": settings.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # A long log is replayed before the port opens.
        "startupProbe": {
            "httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 600,
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 5,
        },
        "volumeMounts": [{"name": "log", "mountPath": FOLDER}],
    }  # fmt: skip


def _claim(settings: CollectorSettings) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": settings.storage}},
    }
    if settings.storage_class:
        spec["storageClassName"] = settings.storage_class
    return {"metadata": {"name": "log"}, "spec": spec}
