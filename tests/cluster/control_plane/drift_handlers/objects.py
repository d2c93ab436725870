"""Manifests, as a person writes them."""

from typing import Any

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


def trainers(namespace: str, name: str = "trimtab-pipelines") -> list[Json]:
    """The service account of a policy, which may make Jobs."""
    rbac, meta = "rbac.authorization.k8s.io", {"name": name, "namespace": namespace}
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "patch", "delete"]}]
    role = {"apiGroup": rbac, "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": role,
            "subjects": [subject],
        },
    ]
