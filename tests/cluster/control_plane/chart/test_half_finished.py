"""A helm that is killed in mid-upgrade: doctor says so, its line goes back, and the same upgrade then works."""

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.chart.release import CHART, DEFAULT_ACCOUNT, SYSTEM, Helm, helm, named
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("chart")
SECRET = Kind("", "v1", "Secret", "secrets")
UPGRADE = ("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--set", "monitoring.dashboards=true")


def upgrade_and_be_killed(there: Helm, plane: "ControlPlane", status: str) -> None:
    """`helm upgrade --wait`, which here waits for pods that never come, killed once its release has a status."""
    from tests.cluster.kube.poll import eventually

    def is_under_way() -> bool:
        held = plane.cluster.list(SECRET, SYSTEM, {"owner": "helm", "version": "2"})
        return [one["metadata"]["labels"]["status"] for one in held] == [status]

    def has_written() -> bool:
        kind = Kind("", "v1", "ConfigMap", "configmaps")
        return any(
            "grafana_dashboard" in one["metadata"].get("labels", {})
            for one in plane.cluster.list(kind, SYSTEM)
        )

    with subprocess.Popen(
        [str(there.program), *UPGRADE, "--wait", "--timeout", "10m"],
        env=dict(there.environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as upgrading:  # fmt: skip
        try:
            eventually(f"it is {status}", is_under_way)
            eventually("it has written a part", has_written)
        finally:
            upgrading.kill()


def test_an_upgrade_that_was_killed_is_said_rolled_back_and_done_again(
    own_control_plane: "ControlPlane", doctor, tmp_path: "Path"
) -> None:
    from tests.cluster.kube.manifests import put

    plane = own_control_plane
    put(
        plane.cluster,
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}, DEFAULT_ACCOUNT],
    )
    there = helm(tmp_path, plane.kubeconfig)
    there.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    assert "release" not in doctor(plane.kubeconfig)[1]
    upgrade_and_be_killed(there, plane, "pending-upgrade")
    status, found = doctor(plane.kubeconfig)
    assert status == 1
    assert found["release"]["said"] == f"trimtab in {SYSTEM}: revision 2 is pending-upgrade"
    assert "another operation" in there.refused(*UPGRADE)
    (line,) = re.findall(r"helm rollback [^,]+", found["release"]["remedy"])
    there.done(*shlex.split(line)[1:])
    assert "release" not in doctor(plane.kubeconfig)[1]
    there.done(*UPGRADE)
    assert "release" not in doctor(plane.kubeconfig)[1]
    history = there.done("history", "trimtab", "-n", SYSTEM, "-o", "yaml")
    assert re.findall(r"status: (\S+)", history)[-1] == "deployed"
    made = plane.cluster.list(Kind("apps", "v1", "Deployment", "deployments"), SYSTEM)
    assert named([{"kind": "Deployment", **one} for one in made], "Deployment")["spec"]["replicas"] == 2
