"""A whole node for a person to play with: `make cluster NODE=1`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def node_for_people() -> Iterator[tuple[str, Path]]:
    """A node with KServe and Envoy Gateway: what to say of it, and its kubeconfig."""
    from tests.cluster.kube import gateway, images, node_kserve
    from tests.cluster.kube.node import Node

    with tempfile.TemporaryDirectory(prefix="trimtab-node-") as folder, Node(Path(folder)) as node:
        node_kserve.install(node)
        entrance = gateway.install(node)
        node.load(node.images.trimtab())
        yield (
            f"a node with KServe and Envoy Gateway at {node.url}; "
            f"Gateway {gateway.NAMESPACE}/{gateway.NAME} answers at http://127.0.0.1:{entrance.port}; "
            f"trimtab's images are {images.OPERATOR} and {images.SERVING}",
            node.kubeconfig,
        )
