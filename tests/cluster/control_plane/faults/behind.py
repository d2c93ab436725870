"""An operator as a process behind a proxy, on an API server that may be stopped: what its tests share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.processes import Replica
    from tests.cluster.control_plane.faults.settings import Setting
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy


EVERY_S = 0.1


@pytest.fixture(scope="module")
def plane() -> Iterator["ControlPlane"]:
    """One that may be stopped and started."""
    from tests.cluster.control_plane.faults.conftest import ROOT, allow_accounts
    from tests.cluster.control_plane.faults.worlds import stock_runtime
    from tests.cluster.control_plane.public_gateway import public_gateway
    from tests.cluster.kube.manifests import install, put
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane(audit=False) as started:
        install(started.cluster, [ROOT / "manifests" / "crds", *gateway_api_crds(), *kserve_crds()])
        public_gateway(started.cluster)
        put(started.cluster, [stock_runtime()])
        allow_accounts(started)
        yield started


@contextmanager
def playing(plane: "ControlPlane", setting: "Setting") -> "Iterator[Scene]":
    """A new namespace, in which everybody else plays what they have to in a setting."""
    from tests.cluster.control_plane.faults.players import Players
    from tests.cluster.control_plane.faults.settings import own_runtime
    from tests.cluster.control_plane.operator.scene import Scene
    from trimtab.api.errors import SurroundingsFailed, TrimtabError
    from trimtab.ports.state import Conflict

    namespace, over = f"a-{uuid4().hex[:8]}", threading.Event()
    plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    plane.cluster.create(own_runtime(namespace))
    players = Players(plane.cluster, namespace, setting)

    def play() -> None:
        while not over.wait(EVERY_S):
            with suppress(SurroundingsFailed, TrimtabError, Conflict):
                players.play()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield Scene(plane.cluster, namespace, template=setting.template)
    finally:
        over.set()
        thread.join(10)


@contextmanager
def replica(
    plane: "ControlPlane", namespace: str, folder: Path, code: Path | None = None, **more: Any
) -> "Iterator[tuple[FaultProxy, Replica]]":
    """An operator behind a proxy of its own, of this version or of the one that `code` holds."""
    from tests.cluster.control_plane.faults.processes import REPOSITORY, Replica, settings
    from tests.cluster.control_plane.operator.players import served_models
    from tests.cluster.kube.fault_proxy import FaultProxy

    folder.mkdir()
    with FaultProxy(plane.admin) as proxy, served_models() as models:
        kubeconfig = proxy.login.write(folder / "kubeconfig")
        started = Replica(
            folder, "operator", kubeconfig, settings(namespace, folder, models, **more), code or REPOSITORY
        )
        try:
            yield proxy, started
        finally:
            started.kill()


def becomes(scene: "Scene", replica: "Replica", what: str, holds: Callable[[], object]) -> None:
    """Wait for it, beside a replica that is started again should a busy machine have cost it its lease."""
    scene.until(what, lambda: (replica.look_after(), holds())[1])
