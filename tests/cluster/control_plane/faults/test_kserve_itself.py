"""Whole rollouts with KServe's own manager, in each setting: what it makes is what the operator meant."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.settings import REAL

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.beside_kserve import BesideKServe
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = REAL


def test_a_rollout_and_a_rollback_come_out_as_meant(make_stage: "Make", fault: "Row") -> None:
    fault.says(
        "none: promoted, then another rolled back", "as meant: Deployments, entry, served name, logger"
    )
    stage = make_stage()
    stage.serve_first()
    comes_out_as_meant(stage, stage.revision("1"))
    stage.wish("2")
    stage.at("Canary", {stage.revision("1"): 50, stage.revision("2"): 50})
    comes_out_as_meant(stage, stage.revision("2"))
    stage.until("the second is promoted", lambda: stage.stable == stage.revision("2") and stage.settled)
    before = stage.servers
    stage.evidence.errors[stage.revision("3")] = 0.5
    stage.wish("3")
    stage.until("the third is refused", lambda: stage.refused(stage.revision("3")) and stage.settled)
    assert (stage.stable, stage.servers) == (stage.revision("2"), before)
    assert stage.weights == {stage.revision("2"): 100}
    assert not stage.broken


def comes_out_as_meant(stage: "Stage", revision: str) -> None:
    """A revision's objects, as KServe made them."""
    from tests.cluster.control_plane.faults.players import told_name
    from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE

    players: BesideKServe = stage.players  # type: ignore[assignment]
    setting, name = stage.setting, f"flights-{revision}"
    collector = f"http://trimtab-collector.{stage.namespace}.svc"
    held = stage.machine.cluster.read(INFERENCE_SERVICE, stage.namespace, name)
    assert held is not None
    assert held["status"]["deploymentMode"] == "Standard"
    assert held["status"]["address"]["url"].startswith(f"http://{name}-{setting.entry}.{stage.namespace}.svc")
    assert players.service(f"{name}-{setting.entry}")["spec"]["ports"]
    assert stage.route is not None
    for component in setting.components:
        deployment = stage.machine.cluster.get(DEPLOYMENT, stage.namespace, f"{name}-{component}")
        assert deployment is not None
        assert told_name(deployment) == "flights"
        [pod] = players.pods(revision, component)
        containers = {one["name"]: one for one in pod["spec"]["containers"]}
        assert set(containers) == {"kserve-container"} | ({"agent"} if component == setting.logged else set())
        said = containers["kserve-container"]["args"]
        if component == setting.logged:
            agent = containers["agent"]["args"]
            assert agent[agent.index("--log-url") + 1] == collector
            assert "X-Request-Id" in agent[agent.index("--metadata-headers") + 1]
        elif not setting.logged:
            assert f"--sink={collector}" in said
            assert any(arg.startswith("--digest=") for arg in said)
