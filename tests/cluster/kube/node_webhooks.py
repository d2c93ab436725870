"""Webhooks of others on a node."""

from typing import Any

from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.node import Node
from tests.cluster.kube.poll import eventually


def until_admitted(node: Node, obj: dict[str, Any]) -> None:
    """Apply an object. A Service that is new may refuse for a moment, and with it the webhook."""

    def tried() -> bool:
        try:
            node.apply(obj)
        except ClusterToolFailed as error:
            if "failed calling webhook" not in str(error):
                raise
            return False
        return True

    eventually(f"the webhook of {obj['kind']} answers", tried, 20)
