"""A cluster as a platform team has it before trimtab comes: KServe, Envoy Gateway, and trimtab's images in reach."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cluster.node.shares import LOADS
from tests.e2e.peaks import PEAK

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node

PULLED = {
    "operator": "docker.io/library/trimtab-operator:0.1.0",
    "serving": "docker.io/library/trimtab-serving:0.1.0",
    "trimtab": "docker.io/library/trimtab:0.1.0",
}
"""The names that the chart and the samples, which know no registry, stand for."""
FORMER = {"operator": "docker.io/library/trimtab-operator:0.0.9"}
"""What a chart of an older appVersion stands for."""
EXTRAS = {"trimtab": "data,features,kfp,train"}
"""Without torch."""
TOOK = "took"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Node]":
    """A node that knows KServe's and Gateway API's kinds, with the operator's image and nothing that runs."""
    from tests.cluster.kube import gateway
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import kserve_crds
    from tests.cluster.kube.node import Node

    images = named(["operator"])
    with Node(tmp_path_factory.mktemp("bare")) as running:
        give(running, images)
        give(running, images, FORMER)
        gateway.install_crds(running)
        install(running.cluster, kserve_crds())
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Node]":
    """A node with KServe's controller, and the images that the Dockerfiles of this tree make."""
    from tests.cluster.kube import node_kserve
    from tests.cluster.kube.node import Node

    images = named(PULLED)
    with Node(tmp_path_factory.mktemp("node")) as running:
        give(running, images)
        node_kserve.install(running)
        yield running


@pytest.fixture(scope="session")
def gateway(cluster: "Node", tmp_path_factory: pytest.TempPathFactory) -> "Gateway":
    """The GatewayClass and the Gateway of docs/install.md, reached inside the cluster; Envoy Gateway's controller."""
    from tests.cluster.control_plane.chart.release import page_blocks, person
    from tests.cluster.kube import gateway, images

    gateway.install_controller(cluster)
    for info in ("gateway", "gateway-inside"):
        for block in page_blocks(info):
            person(block, tmp_path_factory.mktemp(info), cluster.kubeconfig)
    # its own default is by a registry's digest, which no node without one can have
    proxy = {"kubernetes": {"envoyDeployment": {"container": {"image": images.ENVOY}}}}
    patch = json.dumps({"spec": {"provider": proxy}})
    name = (gateway.NAME, "-n", gateway.NAMESPACE)
    cluster.kubectl("patch", "envoyproxy", *name, "--type=merge", "-p", patch)
    return gateway.programmed(cluster)


@pytest.fixture
def system(cluster: "Node") -> Iterator[str]:
    """The namespace of a test's release, gone afterwards with all that is in it."""
    from tests.cluster.control_plane.chart.release import SYSTEM

    yield SYSTEM
    cluster.kubectl("delete", "namespace", SYSTEM, "--timeout=120s")


def named(words: Iterable[str]) -> dict[str, str]:
    """This tree's images, built where they must be, by the word for them."""
    from tests.images.builder import of_this_tree

    return {word: of_this_tree(word, EXTRAS.get(word, "")) for word in words}


def give(node: "Node", images: Mapping[str, str], pulled: Mapping[str, str] = PULLED) -> None:
    """Import images under the names that they are pulled by."""
    from tests.images.builder import buildah

    for word, name in images.items():
        archive = node.place / f"{word}.tar"
        buildah("push", "-q", name, f"docker-archive:{archive}:{pulled[word]}")
        node.load_archive(archive)
        archive.unlink()


@contextmanager
def took(note: "Callable[[str, object], None]", what: str) -> Iterator[None]:
    """Time it, for the summary's end."""
    began = time.monotonic()
    yield
    note(TOOK, f"{time.monotonic() - began:6.1f} s  {what}")


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    noted = [
        one
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for one in report.user_properties
    ]
    for wanted, title in (
        (TOOK, "end to end"),
        (LOADS, "loads: requests"),
        (PEAK, "memory of a pod at its peak: working set, with page cache | pods | part"),
    ):
        if rows := [row for name, row in noted if name == wanted]:
            terminalreporter.section(title)
            for row in rows:
                terminalreporter.write_line(row)
