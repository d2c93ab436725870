"""A cluster as a platform team has it before trimtab comes: KServe, Envoy Gateway, and trimtab's images in reach."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node

PULLED = {
    "operator": "docker.io/library/trimtab-operator:0.1.0",
    "serving": "docker.io/library/trimtab-serving:0.1.0",
    "trimtab": "docker.io/library/trimtab:latest",
}
"""The names that the chart and the samples, which know no registry, stand for."""
EXTRAS = {"trimtab": "data,features,kfp,train"}
"""Without torch."""
TOOK = "took"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Node]":
    """A node with KServe's controller, and the images that the Dockerfiles of this tree make."""
    from tests.cluster.kube import node_kserve
    from tests.cluster.kube.node import Node
    from tests.images.builder import buildah, of_this_tree

    images = {word: of_this_tree(word, EXTRAS.get(word, "")) for word in PULLED}
    with Node(tmp_path_factory.mktemp("node")) as running:
        for word, name in images.items():
            archive = running.place / f"{word}.tar"
            buildah("push", "-q", name, f"docker-archive:{archive}:{PULLED[word]}")
            running.load_archive(archive)
            archive.unlink()
        node_kserve.install(running)
        yield running


@pytest.fixture(scope="session")
def gateway(cluster: "Node") -> "Gateway":
    """A Gateway of Envoy Gateway, which takes routes from any namespace."""
    from tests.cluster.kube import gateway

    return gateway.install(cluster)


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    rows = [
        row
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, row in report.user_properties
        if name == TOOK
    ]
    if rows:
        terminalreporter.section("end to end")
        for row in rows:
            terminalreporter.write_line(row)
