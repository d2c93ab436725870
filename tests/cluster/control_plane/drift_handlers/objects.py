"""Manifests, as a person writes them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.kube.direct import Direct

API = "trimtab.dev/v1alpha1"
Json = dict[str, Any]


def rollout(namespace: str, name: str, model: str) -> Json:
    registry = {"providerRef": "mlflow", "name": model, "alias": "candidate", "pollEvery": "1s"}
    return {
        "apiVersion": API,
        "kind": "ModelRollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"registry": registry},
            "modelName": name,
            "serviceAccountName": "default",
            "serving": {
                "template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}
            },
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": ["m.example.com"],
            },
        },
    }


def monitor(namespace: str, name: str = "watch", rollout: str = "flights", **spec: Any) -> Json:
    return {
        "apiVersion": API,
        "kind": "DriftMonitor",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "target": {"rolloutRef": rollout},
            "window": {"length": "24h", "minRows": 100},
            "minCoverage": "0",
            **spec,
        },
    }


def policy(namespace: str, name: str = "again", monitor: str = "watch", **spec: Any) -> Json:
    job = {"image": "example.com/trimtab:1", "cpu": "100m", "memory": "256Mi"}
    project = "s3://models/flights-" + "0" * 64 + ".tar.gz"
    return {
        "apiVersion": API,
        "kind": "RetrainPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "pipeline": {"job": job, "project": project},
            "triggers": [
                {"name": "performance", "performance": {"monitorRef": monitor}},
                {"name": "drift", "drift": {"monitorRef": monitor}},
            ],
            **spec,
        },
    }


def allow_trainer(cluster: "Direct", namespace: str, name: str = "trimtab-pipelines") -> None:
    """The service account of a policy, which may make Jobs."""
    from tests.cluster.kube.rbac import grant, service_account

    meta = {"name": name, "namespace": namespace}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "patch", "delete"]}]
    grant(cluster, namespace, name, service_account(namespace, name), rules)
