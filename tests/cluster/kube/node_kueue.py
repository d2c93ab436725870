"""Kueue on a node, as `kubectl apply -k` of its release installs it: all integrations, its own certificates.

So its webhooks see every pod and every Job that is made on the node from then on.
"""

from typing import Any

from tests.cluster.kube.images import KUEUE_MANAGER
from tests.cluster.kube.manifests import parsed
from tests.cluster.kube.modules import kueue
from tests.cluster.kube.node import Node
from tests.cluster.kube.node_webhooks import until_admitted

NAMESPACE = "kueue-system"
CONTROLLER = "kueue-controller-manager"
API = "kueue.x-k8s.io/v1beta2"
FLAVOR = "any"
"""The resource flavor of every node."""


def install(node: Node) -> None:
    """Install it, and wait until its webhooks answer."""
    node.load([node.images.kueue()])
    shipped = parsed(node.kubectl("kustomize", str(kueue())))
    node.apply(*(_adapted(document) for document in shipped))
    node.wait_for_rollout(NAMESPACE, CONTROLLER, 120)
    until_admitted(node, {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": FLAVOR}})


def _adapted(document: dict[str, Any]) -> dict[str, Any]:
    """A shipped object for a node with no registry."""
    if document["kind"] == "Deployment":
        (manager,) = document["spec"]["template"]["spec"]["containers"]
        manager |= {"image": KUEUE_MANAGER, "imagePullPolicy": "IfNotPresent"}
        manager["readinessProbe"].update(initialDelaySeconds=1, periodSeconds=1)
        manager["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    return document
