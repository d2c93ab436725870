"""One ModelRollout of the flights models on a node: written, watched, ordered about."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.cluster.kube import gateway
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.images import SERVING
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.rbac import role_with_binding, service_account
from tests.cluster.node.served import MODEL, host
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models

ACCOUNT = "trimtab-rollout"
RUNTIME = "trimtab-flights"
PORT = 8080
STEPS: Sequence[dict[str, Any]] = (
    {"name": "shadow", "shadow": {"percent": 30}, "until": {"minDuration": "40s"}},
    {"name": "fifth", "canary": {"percent": 20}, "until": {"minDuration": "10s"}},
    {"name": "after-fifth", "approval": {}},
    {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "10s"}},
    {"name": "after-half", "approval": {}},
)


def predictor_of(runtime: str, model_format: str, protocol: str) -> dict[str, Any]:
    """What serves a model: a runtime's server, on little of this machine."""
    resources = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    return {
        "modelFormat": {"name": model_format},
        "runtime": runtime,
        "protocolVersion": protocol,
        "resources": resources,
    }


def surroundings(namespace: str) -> list[dict[str, Any]]:
    """What stands before a rollout: the runtime of our model server, and the account that writes for it."""
    container = {
        "name": "kserve-container",
        "image": SERVING,
        "command": ["/usr/bin/python3", "-m", "trimtab.bootstrap.serving"],
        "args": ["--host=0.0.0.0", "--model-dir=/mnt/models", f"--http-port={PORT}"],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {
            "httpGet": {"path": "/v2/health/ready", "port": PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        },
    }
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": RUNTIME, "namespace": namespace},
        "spec": {
            "containers": [container],
            "supportedModelFormats": [{"name": "trimtab", "version": "1"}],
            "protocolVersions": ["v1", "v2"],
        },
    }
    written = (
        ("serving.kserve.io", "inferenceservices"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("", "services"),
    )
    meta = {"name": ACCOUNT, "namespace": namespace}
    verbs = ["get", "list", "create", "update", "patch", "delete"]
    rules = [{"apiGroups": [group], "resources": [kind], "verbs": verbs} for group, kind in written]
    return [
        runtime,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        *role_with_binding(namespace, ACCOUNT, service_account(namespace, ACCOUNT), rules),
    ]


def model(models: "Models", version: str) -> dict[str, Any]:
    """A version as a rollout names it without a registry."""
    return {
        "uri": f"pvc://models/{version}",
        "version": version.removeprefix("v"),
        "digest": models.digests[version],
    }


def rollout(
    namespace: str,
    wished: dict[str, Any],
    *,
    replicas: int = 1,
    steps: Sequence[dict[str, Any]] = STEPS,
    checks: Sequence[dict[str, Any]] = (),
    keep_previous: str = "30s",
    server: dict[str, Any] | None = None,
    transformer: dict[str, Any] | None = None,
    autoscaler: str = "none",
    in_cluster: bool = False,
    hostname: str = "",
    match: str = "Model",
) -> dict[str, Any]:
    """The resource.

    Args:
        server: `predictor.model`; default our own.
        transformer: a container that stands before the predictor.
        autoscaler: KServe's autoscalerClass.
        hostname: default one of the namespace's own.
        match: Host takes every path of it.
    """
    predictor = {
        "minReplicas": replicas,
        "maxReplicas": replicas + 2,
        "model": server or predictor_of(RUNTIME, "trimtab", "v2"),
    }
    metadata = {"annotations": {"serving.kserve.io/autoscalerClass": autoscaler}}
    template: dict[str, Any] = {"metadata": metadata, "predictor": predictor}
    if transformer is not None:
        template["transformer"] = {
            "minReplicas": replicas,
            "maxReplicas": replicas + 2,
            "containers": [transformer],
        }
    return {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": MODEL, "namespace": namespace},
        "spec": {
            "model": wished,
            "modelName": MODEL,
            "serviceAccountName": ACCOUNT,
            "serving": {"template": template, "drain": "5s"},
            "route": {
                "parentRefs": [{"name": gateway.NAME, "namespace": gateway.NAMESPACE}],
                "hostnames": [hostname or host(namespace)],
                "inCluster": in_cluster,
                "match": match,
            },
            "strategy": {
                "steps": list(steps),
                "warmUp": {"requests": 10, "timeout": "1m"},
                "keepPrevious": keep_previous,
            },
            "checks": list(checks),
        },
    }


class Rollout:
    """The one rollout of a namespace, as a person at the cluster sees it."""

    def __init__(self, node: "Node", namespace: str) -> None:
        self.node, self.namespace = node, namespace

    def wish(self, version: dict[str, Any]) -> None:
        """Name another model."""
        self.node.cluster.merge(MODEL_ROLLOUT, self.namespace, MODEL, {"spec": {"model": version}})

    def order(self, verb: str, revision: str, step: str = "") -> None:
        """What `kubectl trimtab` writes."""
        named = {"step": step} if step else {}
        act = {"id": uuid4().hex[:8], "verb": verb, "revision": revision, **named, "by": "admin"}
        text = json.dumps(act, separators=(",", ":"))
        self.node.cluster.merge(
            MODEL_ROLLOUT, self.namespace, MODEL, {"metadata": {"annotations": {"trimtab.dev/act": text}}}
        )

    @property
    def status(self) -> dict[str, Any]:
        held = self.node.cluster.read(MODEL_ROLLOUT, self.namespace, MODEL)
        return dict((held or {}).get("status") or {})

    def revision(self, role: str = "stable") -> str:
        return str((self.status.get(role) or {}).get("revision", ""))

    def condition(self, kind: str) -> str:
        found = [one for one in self.status.get("conditions", ()) if one["type"] == kind]
        return str(found[0]["status"]) if found else ""

    def reason(self, kind: str) -> str:
        found = [one for one in self.status.get("conditions", ()) if one["type"] == kind]
        return str(found[0]["reason"]) if found else ""

    def check(self, name: str) -> dict[str, Any]:
        """What is known of a check; {} before it was asked."""
        return next((dict(one) for one in self.status.get("checks", ()) if one["name"] == name), {})

    def step(self) -> str:
        return str((self.status.get("step") or {}).get("name", ""))

    def flows(self, step: str) -> bool:
        """Whether a step's traffic is what the gateway does: its time runs."""
        seen = self.status.get("step") or {}
        return seen.get("name") == step and seen.get("seenS") is not None

    def delete(self) -> None:
        """Delete it, and wait until it is gone."""
        self.node.kubectl("delete", "modelrollout", MODEL, "-n", self.namespace, "--timeout=60s")

    def eventually(self, what: str, probe: Any, within_s: float = 120.0) -> None:
        """Wait; tells the status and what the namespace's pods say where it does not come."""
        try:
            eventually(what, probe, within_s)
        except ClusterToolFailed as error:
            told = json.dumps(self.status, indent=1)
            raise AssertionError(f"{error}\n{told}\n{self.node.explain(self.namespace)}") from error

    def is_ready(self) -> bool:
        return self.condition("Ready") == "True"

    def serves_alone(self, version: str) -> bool:
        """Whether a version is stable, with all requests and nothing under way."""
        seen = self.status
        return (
            (seen.get("stable") or {}).get("version") == version
            and seen.get("phase") == "Idle"
            and (seen.get("shares") or {}).get("stable") == 100
        )

    def servers(self) -> dict[str, dict[str, Any]]:
        """InferenceServices by revision."""
        listed = self.node.cluster.list(INFERENCE_SERVICE, self.namespace)
        return {one["metadata"]["labels"]["trimtab.dev/revision"]: dict(one) for one in listed}

    def weights(self) -> dict[str, int]:
        """By Service, as the route says."""
        route = self.node.cluster.read(HTTP_ROUTE, self.namespace, f"{MODEL}-trimtab")
        assert route is not None
        return {ref["name"]: int(ref["weight"]) for ref in route["spec"]["rules"][0]["backendRefs"]}
