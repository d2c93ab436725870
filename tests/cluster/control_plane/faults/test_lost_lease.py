"""A leader that lost its lease writes no more, and what it had sent is refused: in all settings at once."""

# ruff: noqa: F811  # fixtures are imported

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.behind import plane, playing, replica  # noqa: F401  # a fixture
from tests.cluster.control_plane.faults.settings import PLAYED, Setting

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults-of-processes")
WRITES = ("PUT", "POST", "PATCH", "DELETE")


def loses_its_lease(plane: "ControlPlane", scene: "Scene", folder: Path) -> None:
    """Version 2 is promoted by a successor, while the first leader's write of the route is on its way."""
    with replica(plane, scene.namespace, folder / "old") as (proxy, old):
        route = {
            "parentRefs": [{"name": "public", "namespace": "gateways"}],
            "hostnames": [f"{scene.namespace}.example.com"],
        }
        scene.serve_first(route=route)
        held = proxy.hold("PUT", "/httproutes/")
        scene.wish("2")
        held.wait()
        first = scene.epoch
        proxy.answer("PUT|PATCH", "/leases/", 500, times=float("inf"))
        with replica(plane, scene.namespace, folder / "new"):
            scene.until("a successor acts", lambda: scene.epoch not in ("", first))
            scene.until("the old one ends", lambda: old.ended)
            lost = time.monotonic()
            scene.until("the successor has promoted", lambda: scene.version("stable") == "2")
            assert held.release() == 409
            assert scene.split.weights == {scene.revision("stable"): 100}
            assert not [call for call in proxy.calls if call.method in WRITES and call.at > lost]
            scene.until("it settles", lambda: scene.servers == {"2"})


def test_a_late_write_of_a_leader_that_lost_its_lease_is_refused(
    plane: "ControlPlane", tmp_path: Path, fault: "Row"
) -> None:
    for setting in PLAYED:
        fault.says(
            "leader loses its lease; a write held in flight until a successor has acted",
            "no write is sent after the loss; the late one is refused",
            str(setting),
        )

    def suffer(setting: Setting) -> None:
        folder = tmp_path / setting.name.replace(" ", "-")
        folder.mkdir()
        with playing(plane, setting) as scene:
            loses_its_lease(plane, scene, folder)

    with ThreadPoolExecutor(len(PLAYED)) as pool:
        list(pool.map(suffer, PLAYED))
