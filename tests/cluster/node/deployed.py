"""The operator on a node as it is installed: an overlay of manifests/base, in its own image, with its own rights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.cluster.kube import images
from tests.cluster.kube.manifests import CRD, parsed, wait_until_served

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

BASE = Path(__file__).parents[3] / "manifests" / "base"
SYSTEM = "trimtab-system"
NAME = "trimtab-operator"
SETTLE_S = 3
CONFIGURATION = f"""\
settle: {SETTLE_S}s
tick: 2s
collector: {{image: "{images.OPERATOR}", storage: ""}}
"""


def deploy(node: "Node", folder: Path, configuration: str = CONFIGURATION) -> None:
    """Install it as docs/kubernetes.md says, and wait until both replicas are ready.

    Args:
        folder: where the overlay is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(_overlay(folder)))
    (folder / "config.yaml").write_text(configuration)
    made = parsed(node.kubectl("kustomize", str(folder)))
    crds = [one for one in made if one["kind"] == CRD.kind]
    node.apply(*crds)
    for crd in crds:
        wait_until_served(node.cluster, crd["metadata"]["name"])
    node.apply(*(one for one in made if one["kind"] == "Namespace"))
    node.apply(*(one for one in made if one not in crds))
    node.wait_for_rollout(SYSTEM, NAME)


def said(node: "Node") -> str:
    """What both replicas said last."""
    return node.kubectl("logs", "-n", SYSTEM, "-l", f"app.kubernetes.io/name={NAME}", "--tail=40", "--prefix")


def restarts(node: "Node") -> int:
    """How often a replica's container was started again."""
    pods = node.list("pods", SYSTEM, f"app.kubernetes.io/name={NAME}")
    return sum(one["restartCount"] for pod in pods for one in pod["status"].get("containerStatuses", ()))


def _overlay(folder: Path) -> dict[str, object]:
    """Kustomize takes no absolute paths."""
    name, _, tag = images.OPERATOR.rpartition(":")
    generator = {"name": NAME, "namespace": SYSTEM, "behavior": "replace", "files": ["config.yaml"]}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(BASE.resolve(), folder.resolve())],
        "images": [{"name": NAME, "newName": name, "newTag": tag}],
        "configMapGenerator": [generator],
    }
