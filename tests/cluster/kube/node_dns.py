"""CoreDNS as Kubernetes ships it, less what asks the world outside."""

from typing import Any

from tests.cluster.kube.images import COREDNS
from tests.cluster.kube.node_programs import DNS_SERVICE

COREFILE = """\
.:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa {
        pods insecure
        ttl 5
    }
}
"""
SYSTEM = "kube-system"
LABELS = {"k8s-app": "kube-dns"}
RULES = [
    {
        "apiGroups": [""],
        "resources": ["endpoints", "services", "pods", "namespaces"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]
POD = {
    "serviceAccountName": "coredns",
    "dnsPolicy": "Default",
    "containers": [
        {
            "name": "coredns",
            "image": COREDNS,
            "args": ["-conf", "/etc/coredns/Corefile"],
            "ports": [{"containerPort": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        }
    ],
    "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
}


def _object(
    version: str, kind: str, name: str, namespace: str | None = SYSTEM, **more: Any
) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


RBAC = "rbac.authorization.k8s.io/v1"
DNS = (
    _object("v1", "ServiceAccount", "coredns"),
    _object(RBAC, "ClusterRole", "coredns", None, rules=RULES),
    _object(
        RBAC,
        "ClusterRoleBinding",
        "coredns",
        None,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        subjects=[{"kind": "ServiceAccount", "name": "coredns", "namespace": SYSTEM}],
    ),
    _object("v1", "ConfigMap", "coredns", data={"Corefile": COREFILE}),
    _object(
        "apps/v1",
        "Deployment",
        "coredns",
        spec={"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": POD}},
    ),
    _object(
        "v1",
        "Service",
        "kube-dns",
        spec={
            "clusterIP": DNS_SERVICE,
            "selector": LABELS,
            "ports": [{"name": name, "port": 53, "protocol": name.upper()} for name in ("udp", "tcp")],
        },
    ),
)
