"""A network that learns in pods of their own: the RayJob that a component submits, from the pod that its IR says."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from tests.cluster.node.components import shop
from tests.cluster.node.kuberay.trainings import workers_in_pods

if TYPE_CHECKING:
    from tests.cluster.node.components.conftest import Team

pytestmark = [
    pytest.mark.xdist_group("node"),
    pytest.mark.filterwarnings("ignore:Task .* have no effect in the current local runner"),  # here they have
]

FAMILY: Final = re.compile(r"^model:\n(?:  .*\n)+", re.MULTILINE)
LEARN: Final = "  epochs: 3\n  batchRows: 512\n  workers: 2\n  where: kuberay\n"


@pytest.fixture
def in_pods(team: "Team", tmp_path: Path) -> Path:
    """The training pipeline of a project with two workers; the team's node and account, ready for them."""
    from tests.cluster.kube import node_kuberay
    from tests.cluster.kube.node_programs import NAME
    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.adapters.projects.archive import archive
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load, load_platform

    team.node.kubectl("taint", "node", NAME, f"{shop.POOL}-")  # KubeRay's operator is not the team's
    node_kuberay.install(team.node)
    team.node.kubectl("taint", "node", NAME, f"{shop.POOL}=training:NoSchedule")
    team.node.apply(*workers_in_pods(team.namespace))
    [family] = FAMILY.findall((shop.ROOT / "examples" / "flights" / "trimtab.yaml").read_text())
    words = {family: "model: network.py\n", "  epochs: 8\n": LEARN, "atLeast: 0.68": "atLeast: 0.4"}
    loaded = load(
        shop.write_project(tmp_path / "in pods", team.home, words, resources="{cpu: 1, memory: 2Gi}")
    )
    packed = archive(pack(loaded, tmp_path / "bundles"), team.home / "projects")
    team.projects["in pods"] = packed.as_uri()
    place = ("cluster", load_platform(loaded.root, "cluster"))
    ir = compile_pipeline("training", loaded.project, tmp_path / "training.yaml", place)
    return fits_on_two_cores(ir)


def fits_on_two_cores(ir: Path) -> Path:
    said, *rest = yaml.safe_load_all(ir.read_text())
    for executor in said["deploymentSpec"]["executors"].values():
        if "resourceCpuRequest" in (resources := executor["container"].get("resources", {})):
            resources["resourceCpuRequest"] = "0.3"
    ir.write_text(yaml.safe_dump_all([said, *rest]))
    return ir


def test_a_component_submits_a_ray_job_and_its_model_is_registered(team: "Team", in_pods: Path) -> None:
    from tests.cluster.kube.poll import eventually

    steps = team.steps.run(in_pods, project=team.projects["in pods"], until=shop.UNTIL)
    assert all(step.status == 0 for step in steps), [(step.task, step.log) for step in steps if step.status]
    logs = {step.task: step.log for step in steps}
    assert {"train", "refit", "register"} <= set(logs)
    for task in ("train", "refit"):
        assert "2 workers start in pods of RayJob trimtab-ray-" in logs[task]
        assert "epoch 3 of 3" in logs[task]

    def left() -> list[str]:
        kinds = ("rayjobs", "rayclusters", "pods")
        held = (one["metadata"]["name"] for kind in kinds for one in team.node.list(kind, team.namespace))
        return [name for name in held if name.startswith("trimtab-ray-")]

    eventually("nothing of Ray is left", lambda: not left(), 60)
