"""An operator as a process behind a proxy, on an API server that may be stopped: what its tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.processes import Replica
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def plane() -> Iterator["ControlPlane"]:
    """One that may be stopped and started."""
    from tests.cluster.control_plane.faults.conftest import ROOT, allow_accounts
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane(audit=False) as started:
        install(started.cluster, [ROOT / "manifests" / "crds", *gateway_api_crds(), *kserve_crds()])
        allow_accounts(started)
        yield started


@pytest.fixture
def namespace(plane: "ControlPlane") -> str:
    from uuid import uuid4

    name = f"a-{uuid4().hex[:8]}"
    plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def scene(plane: "ControlPlane", namespace: str) -> Iterator["Scene"]:
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene

    players = Players(plane.cluster, namespace)
    players.start()
    yield Scene(plane.cluster, namespace, players)
    players.stop()


@contextmanager
def replica(plane: "ControlPlane", namespace: str, folder: Path) -> "Iterator[tuple[FaultProxy, Replica]]":
    """An operator behind a proxy of its own."""
    from tests.cluster.control_plane.faults.processes import Replica, settings
    from tests.cluster.control_plane.operator.players import served_models
    from tests.cluster.kube.fault_proxy import FaultProxy

    folder.mkdir()
    with FaultProxy(plane.admin) as proxy, served_models() as models:
        kubeconfig = proxy.login.write(folder / "kubeconfig")
        started = Replica(folder, "operator", kubeconfig, settings(namespace, folder, models))
        try:
            yield proxy, started
        finally:
            started.kill()
