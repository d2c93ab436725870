"""The NetworkPolicy of a namespace's collector: predictors beside it, the operator and whoever is named may ask it.

It believes whoever reaches it, so this is what keeps predictions and labels those of the servers. It asks nobody
itself. Whether a policy is kept is the network plugin's doing: the API server stores it either way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trimtab.ports.cluster import Kind

NETWORK_POLICY: Final = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
PREDICTOR: Final = "serving.kserve.io/inferenceservice"
"""Label that KServe gives to each pod of an InferenceService."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Who may ask collectors beside the predictors of their own namespace.

    Attributes:
        operator_namespace: where pods with app.kubernetes.io/name: trimtab-operator are the operator's.
        peers: others, each as in a NetworkPolicy.
    """

    operator_namespace: str
    peers: tuple[Mapping[str, Any], ...] = ()


def network_policy(namespace: str, name: str, labels: Mapping[str, str], fence: Fence) -> dict[str, Any]:
    """The policy of the pods that carry app.kubernetes.io/name: NAME."""
    predictors = {"podSelector": {"matchExpressions": [{"key": PREDICTOR, "operator": "Exists"}]}}
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": fence.operator_namespace}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "trimtab-operator"}},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [predictors, operator, *map(dict, fence.peers)], "ports": [{"port": "http"}]}
            ],
        },
    }
