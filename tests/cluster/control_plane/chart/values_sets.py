"""Values that the tests of the chart go through: the default, one namespace's, and all that can be said."""

from collections.abc import Mapping
from typing import Any

SETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "namespaced": {
        "namespaces": ["shop", "team-b"],
        "replicas": 1,
        "crds": {"install": False},
        "config": {"collector": {"storage": ""}},
    },
    "everything": {
        "image": {"repository": "registry.example.com/trimtab-operator", "tag": "1.2.3",
                  "digest": "sha256:" + "0" * 64, "pullPolicy": "Always", "pullSecrets": ["registry"]},
        "replicas": 3,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "platform", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}]}}},
        "priorityClassName": "system-cluster-critical",
        "podAnnotations": {"example.com/note": "yes"},
        "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel.monitoring.svc:4318"}],
        "secrets": [{"secret": "mlflow-token", "key": "token", "path": "mlflow"}],
        "serviceAccount": {"annotations": {"example.com/identity": "trimtab"}},
        "config": {
            "logLevel": "debug", "tick": "5s", "settle": "5s", "workers": 8, "lease": {"duration": "20s"},
            "collector": {"storage": "50Gi", "storageClass": "fast", "memory": "1Gi",
                          "nodeSelector": {"disk": "ssd"}},
            "providers": {
                "mlflow": [{"name": "mlflow", "url": "https://mlflow.example.com",
                            "tokenFile": "/etc/trimtab/secrets/mlflow", "namespaces": ["shop"]}],
                "kubeflow": [{"name": "kubeflow", "url": "http://ml-pipeline.kubeflow.svc:8888",
                              "namespace": "kubeflow"}],
                "prometheus": [{"name": "prometheus", "url": "http://prometheus.monitoring.svc:9090"}],
            },
        },
        "namespace": {"create": True},
        "monitoring": {"monitors": "always", "alerts": "always", "dashboards": True, "interval": "15s",
                       "labels": {"release": "kube-prometheus-stack"}, "alertLabels": {"team": "ml"},
                       "runbook": "https://wiki.example.com/trimtab"},
        "networkPolicies": {
            "operatorFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "operatorTo": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 6443}]}, {"to": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}],
            "collectorFrom": [{"podSelector": {"matchLabels": {"app": "labels"}}}],
        },
        "servingRuntime": {
            "create": "always",
            "image": "registry.example.com/trimtab-serving:1.2.3",
            "pullSecrets": ["registry"],
            "online": "redis://:${REDIS_PASSWORD}@redis.shop.svc:6379/0",
            "env": [{"name": "REDIS_PASSWORD",
                     "valueFrom": {"secretKeyRef": {"name": "redis", "key": "REDIS_PASSWORD"}}}],
        },
        "fullnameOverride": "ours",
    },
}  # fmt: skip
