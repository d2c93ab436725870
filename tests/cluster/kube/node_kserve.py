"""KServe's own controller on a node: its shipped manifests, without cert-manager.

The webhooks' certificate comes from the cluster's own authority. What serves large language models and caches
models on nodes is left out.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import yaml

from tests.cluster.kube import gateway
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.manifests import install as install_manifests
from tests.cluster.kube.modules import kserve, kserve_crds, kserve_install
from tests.cluster.kube.node import Node
from tests.cluster.kube.node_webhooks import until_admitted
from tests.cluster.kube.versions import KSERVE

Mode = Literal["Standard", "Serverless"]

NAMESPACE = "kserve"
SECRET = "kserve-webhook-server-cert"
SERVICE = f"kserve-webhook-server-service.{NAMESPACE}.svc"
CONTROLLER = "kserve-controller-manager"
LEFT_OUT = {"CustomResourceDefinition", "Certificate", "Issuer", "DaemonSet", "Secret"}
OTHER_PARTS = ("llm", "localmodel")
RUNTIME = "kserve-sklearnserver"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def install(node: Node, mode: Mode = "Standard") -> None:
    """Install KServe and wait until its controller and webhooks answer.

    Args:
        mode: `Standard` and the Gateway API; or `Serverless`, what the shipped ConfigMap says: with no Knative here
            an InferenceService must then say its mode itself.
    """
    node.load(node.images.kserve())
    gateway.install_crds(node)
    install_manifests(node.cluster, kserve_crds())
    pair = node.keys.authority.server("webhook", [SERVICE, f"{SERVICE}.cluster.local"])
    certificate = {
        "tls.crt": _b64(pair.certificate),
        "tls.key": _b64(pair.key),
        "ca.crt": _b64(node.keys.authority.certificate),
    }
    node.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "data": certificate,
        },
    )
    shipped = list(_shipped())
    for document in shipped:
        _adapt(document, mode, _b64(node.keys.authority.certificate))
    hooks = [document for document in shipped if document["kind"].endswith("WebhookConfiguration")]
    node.apply(*(document for document in shipped if document not in hooks))
    node.wait_for_rollout(NAMESPACE, CONTROLLER)
    node.apply(*hooks)
    until_admitted(node, _runtime())


@contextmanager
def shipped_mode(node: Node) -> Iterator[None]:
    """What an InferenceService is that does not say: what KServe's release says, until the end."""
    name = "inferenceservice-config"
    shipped = next(one for one in _shipped() if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", name))
    held = node.get("configmap", name, NAMESPACE)["data"]["deploy"]
    kind = node.cluster.kind_of(shipped)
    node.cluster.merge(kind, NAMESPACE, name, {"data": {"deploy": shipped["data"]["deploy"]}})
    try:
        yield
    finally:
        node.cluster.merge(kind, NAMESPACE, name, {"data": {"deploy": held}})


def _shipped() -> Iterator[dict[str, Any]]:
    for text in kserve_install().read_text().split("\n---\n"):
        if "\nkind: CustomResourceDefinition\n" in text:
            continue  # 130,000 lines
        document = yaml.load(text, _Loader)
        if not document or document["kind"] in LEFT_OUT:
            continue
        if not any(part in document["metadata"]["name"] for part in OTHER_PARTS):
            yield document


def _runtime() -> dict[str, Any]:
    """The shipped runtime for scikit-learn, by which KServe's own example is served."""
    shipped = kserve() / "install" / KSERVE / "kserve-cluster-resources.yaml"
    for document in yaml.load_all(shipped.read_text(), _Loader):
        if document and document["metadata"]["name"] == RUNTIME:
            found: dict[str, Any] = document
            return found
    raise ClusterToolFailed(f"{shipped.name} has no {RUNTIME}")


def _adapt(document: dict[str, Any], mode: Mode, authority: str) -> None:
    """Make a shipped object fit a node with no registry and no cert-manager."""
    kind = document["kind"]
    if kind == "ConfigMap":
        data = document["data"]
        data.pop("_example", None)
        if mode == "Standard":
            data["deploy"] = json.dumps({"defaultDeploymentMode": mode})
            ways = {
                "enableGatewayApi": True,
                "disableIstioVirtualHost": True,
                "kserveIngressGateway": f"{gateway.NAMESPACE}/{gateway.NAME}",
            }
            data["ingress"] = json.dumps({**json.loads(data["ingress"]), **ways})
    elif kind == "Deployment":
        pod = document["spec"]["template"]["spec"]
        (manager,) = (one for one in pod["containers"] if one["name"] == "manager")
        pod["containers"] = [manager]  # the other guards the metrics' port, which nobody reads here
        manager["imagePullPolicy"] = "IfNotPresent"
        manager["readinessProbe"].update(initialDelaySeconds=1, periodSeconds=1)
        manager["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    elif kind.endswith("WebhookConfiguration"):
        document["metadata"].pop("annotations", None)
        document["metadata"].pop("creationTimestamp", None)
        for hook in document["webhooks"]:
            hook["clientConfig"]["caBundle"] = authority


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
