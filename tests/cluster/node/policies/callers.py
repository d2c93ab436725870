"""Pods that call others, and whom they reach: what a NetworkPolicy means where it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node
    from tests.cluster.node.rollouts import Rollout

SYSTEM = "trimtab-system"
OPERATOR = {"app.kubernetes.io/name": "trimtab-operator"}
PORT = 8080
"""A caller answers there itself."""
TIMEOUT_S = 2
CALL = f"""\
import socket, sys
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), {TIMEOUT_S}).close()
    except OSError:
        continue
    print(target)
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """A pod with Python in it.

    Attributes:
        container: the one that calls; "" is the pod's first.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    container: str = ""

    def pod(self) -> dict[str, Any]:
        """One that only calls and answers, to be applied."""
        from tests.cluster.kube.images import WEB

        container = {"name": "web", "image": WEB, "ports": [{"name": "http", "containerPort": PORT}]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": dict(self.labels)},
            "spec": {"containers": [container], "automountServiceAccountToken": False},
        }

    def address(self, node: "Node") -> str:
        """HOST:PORT at which it answers."""
        return f"{node.get('pod', self.name, self.namespace)['status']['podIP']}:{PORT}"

    def reaches(self, node: "Node", *targets: str) -> set[str]:
        """Those of the targets, each HOST:PORT, that take its connection."""
        named = ("-c", self.container) if self.container else ()
        said = node.kubectl(
            "exec", "-n", self.namespace, self.name, *named, "--", "/usr/bin/python3", "-c", CALL, *targets
        )
        return set(said.split())


def predictor(rollout: "Rollout") -> Caller:
    """The model server in service."""
    from trimtab.adapters.children import REVISION

    (pod,) = rollout.node.list("pods", rollout.namespace, f"{REVISION}={rollout.revision()}")
    return Caller(rollout.namespace, pod["metadata"]["name"], container="kserve-container")


def operators(node: "Node") -> list[Caller]:
    """Both replicas."""
    listed = node.list(
        "pods", SYSTEM, "app.kubernetes.io/name=trimtab-operator,app.kubernetes.io/instance=trimtab"
    )
    return [Caller(SYSTEM, pod["metadata"]["name"]) for pod in listed]
