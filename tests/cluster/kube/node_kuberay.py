"""KubeRay's operator on a node: its shipped manifests, one replica, no webhooks.

What it does to a pod of Ray is left as a release has it, so that what runs here runs beside any KubeRay: it puts an
init container before each worker, and probes that call `wget` into each container that brings none of its own.
"""

from typing import Any

from tests.cluster.kube.images import KUBERAY_OPERATOR
from tests.cluster.kube.manifests import documents
from tests.cluster.kube.manifests import install as install_manifests
from tests.cluster.kube.modules import kuberay_crds, kuberay_install
from tests.cluster.kube.node import Node

NAMESPACE = "kuberay-system"
OPERATOR = "kuberay-operator"


def install(node: Node) -> None:
    """Install it, for all namespaces, and wait until it is ready."""
    node.load([node.images.kuberay()])
    install_manifests(node.cluster, kuberay_crds())
    shipped = [_adapted(document) for document in documents(kuberay_install())]
    node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *shipped)
    node.wait_for_rollout(NAMESPACE, OPERATOR)


def _adapted(document: dict[str, Any]) -> dict[str, Any]:
    """A shipped object as kustomize would name it, for a node with no registry."""
    if not document["kind"].startswith("Cluster"):
        document["metadata"]["namespace"] = NAMESPACE
    for subject in document.get("subjects", ()):
        subject["namespace"] = NAMESPACE
    if document["kind"] == "Deployment":
        (operator,) = document["spec"]["template"]["spec"]["containers"]
        operator["image"] = KUBERAY_OPERATOR
        operator["args"] = ["--enable-leader-election=false"]
        operator["readinessProbe"].update(initialDelaySeconds=1, periodSeconds=1)
        operator["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    return document
