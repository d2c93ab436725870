"""KubeRay's own operator on the node, Kueue, and a pod that trains beside them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.node.conftest import Volume
from tests.cluster.node.kuberay.trainings import Training, learned

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

CONTRACT: Final = Path(__file__).parents[3] / "contract"
LEARNER: Final = CONTRACT / "ray" / "learner.py"
SEARCHER: Final = CONTRACT / "ray" / "searcher.py"


@pytest.fixture(scope="session")
def kuberay(node: "Node") -> "Node":
    """The node, with KubeRay's operator and the image of Ray's nodes."""
    from tests.cluster.kube import node_kuberay

    node_kuberay.install(node)
    node.load([node.images.ray()])
    return node


@pytest.fixture(scope="session")
def kueue(kuberay: "Node") -> "Node":
    """The node, with Kueue beside KubeRay's operator."""
    from tests.cluster.kube import node_kueue

    node_kueue.install(kuberay)
    return kuberay


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What two workers on this machine learn."""
    root = tmp_path_factory.mktemp("here")
    learner = [sys.executable, LEARNER, root, "small", "2"]
    done = subprocess.run(learner, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return learned(done.stdout)


@pytest.fixture
def shared(kuberay: "Node", namespace: str, volume: Volume, tmp_path: Path) -> Path:
    """What all pods share, seen from this host: anybody may write there."""
    for script in (LEARNER, SEARCHER, CONTRACT / "search" / "search_world.py"):
        shutil.copy(script, tmp_path)
    volume("shared", tmp_path)
    seen = kuberay.place / "volumes" / namespace / "shared"
    seen.chmod(0o777)
    return seen


@pytest.fixture
def training(kuberay: "Node", namespace: str, shared: Path) -> Training:
    return Training(kuberay, namespace, shared)
