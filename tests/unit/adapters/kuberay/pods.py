"""A pod of the operator's Job runner, as the API server shows it to itself."""

from typing import Any


def training_pod(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "run",
        "image": "registry.example/team/trimtab:3",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "trimtab.local.job"],
        "env": [{"name": "HOME", "value": "/trimtab"}],
        "envFrom": [{"secretRef": {"name": "storage"}}],
        "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}},
        "volumeMounts": [
            {"name": "home", "mountPath": "/trimtab"},
            {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    return {
        "metadata": {
            "name": "flights-0123-abcde",
            "namespace": "ml",
            "uid": "0f3c2a91-1111-2222-3333-444444444444",
            "labels": {"kueue.x-k8s.io/queue-name": "team", "trimtab.dev/run": "x"},
        },
        "spec": {
            "containers": [container],
            "serviceAccountName": "trimtab-pipelines",
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "registry"}],
            "securityContext": {"runAsNonRoot": True},
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": "runs"}},
                {
                    "name": "kube-api-access-x",
                    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
                },
            ],
            **spec,
        },
    }
