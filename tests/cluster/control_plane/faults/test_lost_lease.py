"""A leader that lost its lease writes no more, and what it had sent is refused: in all settings at once."""

# ruff: noqa: F811  # fixtures are imported

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.faults.behind import becomes, plane, playing, replica  # noqa: F401  # a fixture
from tests.cluster.control_plane.faults.settings import PLAYED, Setting
from tests.standstill import Standstill
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults-of-processes")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
WRITES = ("PUT", "POST", "PATCH", "DELETE")
LEASE_S, RENEW_DEADLINE_S = 24, 8
ON_THE_WAY_S = 1.5
"""From the operator's look at its fence until the proxy has noted the call, on a machine that is busy: well below
what lies between a leader's deadline and the earliest moment at which another may lead."""


def loses_its_lease(plane: "ControlPlane", scene: "Scene", folder: Path) -> None:
    """Version 2 is promoted by a successor, while the first leader's write of the route is on its way.

    Beside it stands a rollout about which the first leader has something to write until its end.
    """
    lease = {"namespace": scene.namespace, "duration": f"{LEASE_S}s", "renewDeadline": f"{RENEW_DEADLINE_S}s"}
    with Standstill() as still, replica(plane, scene.namespace, folder / "old", lease=lease) as (proxy, old):
        beside = scene.another("beside")
        beside.serve_first(version="2", route=route(f"beside.{scene.namespace}"))
        scene.serve_first(route=route(scene.namespace))
        held = proxy.hold("PUT", "/httproutes/flights-trimtab")
        scene.wish("2")
        held.wait()
        first = scene.epoch
        proxy.answer("PUT|PATCH", "/leases/", 500, times=float("inf"))
        with replica(plane, scene.namespace, folder / "new", lease=lease) as (_, new):

            def acts() -> bool:
                beside.toggles()
                return scene.epoch not in ("", first)

            becomes(scene, new, "a successor acts", acts)
            scene.until("the old one ends", lambda: old.ended)
            becomes(scene, new, "the successor has promoted", lambda: scene.version("stable") == "2")
            assert held.release() == 409
            assert scene.split.weights == {scene.revision("stable"): 100}
            leases = [call for call in proxy.calls if "/leases" in call.path and call.method in WRITES]
            renewed = max(call.at for call in leases if call.status in (200, 201))
            written = [
                call.at - renewed
                for call in proxy.calls
                if call.method in WRITES and "/leases" not in call.path
            ]
            last = max(written)
            assert last > RENEW_DEADLINE_S / 2, "it had nothing to write"
            assert last - still.within_s(renewed, renewed + last) <= RENEW_DEADLINE_S + ON_THE_WAY_S < LEASE_S
            assert renewed + last < taken(plane, scene.namespace)
            becomes(scene, new, "it settles", lambda: scene.servers == {"2"})


def route(host: str) -> dict[str, Any]:
    return {"parentRefs": [{"name": "public", "namespace": "gateways"}], "hostnames": [f"{host}.example.com"]}


def taken(plane: "ControlPlane", namespace: str) -> float:
    """When the lease was taken last, on time.monotonic."""
    lease = plane.cluster.read(LEASE, namespace, "trimtab-operator")
    assert lease is not None
    since = datetime.now(UTC) - datetime.fromisoformat(lease["spec"]["acquireTime"])
    return time.monotonic() - since.total_seconds()


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
