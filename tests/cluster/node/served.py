"""Objects that the tests here write: a runtime of our server, an InferenceService of a revision, a route."""

from typing import Any

from tests.cluster.kube import gateway
from tests.cluster.kube.images import SERVING

MODEL = "flights"
PORT = 8080


def host(namespace: str) -> str:
    """Each test's own: a route that another test left in a dying namespace is older, and would win."""
    return f"{namespace}.example.com"


def routed_host(namespace: str, name: str) -> str:
    """The host name that KServe gives an InferenceService."""
    return f"{name}-{namespace}.example.com"


def runtime(namespace: str) -> dict[str, Any]:
    """The model server, as a runtime that InferenceServices of the namespace may name."""
    container = {
        "name": "kserve-container",
        "image": SERVING,
        "args": ["--model-dir=/mnt/models", f"--model-name={MODEL}", f"--http-port={PORT}"],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": PORT}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "trimtab", "namespace": namespace},
        "spec": {
            "containers": [container],
            "supportedModelFormats": [{"name": "trimtab", "version": "1"}],
            "protocolVersions": ["v1", "v2"],
        },
    }


def inference_service(
    namespace: str, name: str, revision: str, uri: str, *, routed: bool = False
) -> dict[str, Any]:
    """A revision of the model.

    Args:
        routed: whether KServe makes a route to it, under a host name of KServe's own (`routed_host`).
    """
    model = {
        "modelFormat": {"name": "trimtab"},
        "runtime": "trimtab",
        "protocolVersion": "v2",
        "storageUri": uri,
        "args": [f"--revision={revision}"],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {} if routed else {"networking.kserve.io/visibility": "cluster-local"},
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/autoscalerClass": "none",
            },
        },
        "spec": {"predictor": {"minReplicas": 1, "model": model}},
    }


def route(namespace: str, weights: dict[str, int], mirror: tuple[str, int] | None = None) -> dict[str, Any]:
    """A route of the host to InferenceServices by weight.

    Args:
        mirror: an InferenceService and the percentage of requests that are copied to it.
    """
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [
            {"name": f"{name}-predictor", "port": 80, "weight": n} for name, n in weights.items()
        ],
    }
    if mirror:
        copy = {"backendRef": {"name": f"{mirror[0]}-predictor", "port": 80}, "percent": mirror[1]}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": copy}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": MODEL, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": gateway.NAME, "namespace": gateway.NAMESPACE}],
            "hostnames": [host(namespace)],
            "rules": [rule],
        },
    }
