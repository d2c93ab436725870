"""A leader that lost its lease writes no more, and what it had sent is refused."""

# ruff: noqa: F811  # fixtures are imported

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.behind import namespace, plane, replica, scene  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults-of-processes")


def test_a_late_write_of_a_leader_that_lost_its_lease_is_refused(
    plane: "ControlPlane",
    namespace: str,
    scene: "Scene",
    tmp_path: Path,
    fault: "Row",
) -> None:
    fault.says(
        "leader loses its lease; a write held in flight until a successor has acted",
        "no write is sent after the loss; the late one is refused",
    )
    with replica(plane, namespace, tmp_path / "old") as (proxy, old):
        scene.serve_first()
        held = proxy.hold("PUT", "/httproutes/")
        scene.wish("2")
        held.wait()
        first = scene.epoch
        proxy.answer("PUT|PATCH", "/leases/", 500, times=float("inf"))
        with replica(plane, namespace, tmp_path / "new"):
            scene.until("a successor acts", lambda: scene.epoch not in ("", first))
            scene.until("the old one ends", lambda: old.ended)
            lost = time.monotonic()
            scene.until("the successor has promoted", lambda: scene.version("stable") == "2")
            assert held.release() == 409
            assert scene.split.weights == {scene.revision("stable"): 100}
            late = [c for c in proxy.calls if c.method in ("PUT", "POST", "PATCH", "DELETE") and c.at > lost]
            assert not late
            scene.until("it settles", lambda: scene.servers == {"2"})
