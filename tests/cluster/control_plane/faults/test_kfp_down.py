"""Kubeflow Pipelines is away when a run is created, or while one is under way: the policy says so, and goes on."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.machine import Machine
    from tests.cluster.control_plane.faults.retraining import Retraining
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults")
LOOKS = 10


def waits(stage: "Retraining") -> None:
    """It says why; no run comes or ends; nobody touches the rollout."""
    from tests.cluster.control_plane.faults.retraining import MINUTE, NAME
    from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT

    def rollout() -> object:
        return stage.machine.cluster.read(MODEL_ROLLOUT, stage.namespace, NAME)

    before = rollout(), stage.engine.all()
    for _ in range(LOOKS):
        stage.look()
        stage.time.pass_(MINUTE)
    assert (rollout(), stage.engine.all()) == before
    told = {one["type"]: one for one in stage.policy["conditions"]}
    assert told["Ready"]["status"] == "False"
    assert "kubeflow" in told["Ready"]["message"].lower(), told
    assert told["Running"]["status"] == "True"


def test_kubeflow_pipelines_is_down(
    harmed_plane: "ControlPlane", machine: "Machine", tmp_path: Path, fault: "Row"
) -> None:
    from tests.cluster.control_plane.faults.address import Address
    from tests.cluster.control_plane.faults.engines import Fate
    from tests.cluster.control_plane.faults.flights import Recording
    from tests.cluster.control_plane.faults.retraining import DECISIVE
    from tests.cluster.control_plane.faults.telling import retraining

    fault.says(
        "KFP down when a run is created, and while one is under way",
        "waits with the reason; traffic as it was; goes on afterwards, with one effective run a claim",
    )
    fault.cases(2)
    begin, alarm, *rest = DECISIVE
    fate = Fate()
    with (
        Address() as address,
        retraining(harmed_plane, machine, tmp_path, Recording.load(), "KFP", fate, address) as stage,
    ):
        api = address.leads_to
        stage.day(begin)

        address.goes()
        stage.time.pass_(alarm - stage.time.now())
        stage.look()
        assert stage.policy["claim"]
        waits(stage)
        assert not stage.engine.all()

        fate.held = True
        address.comes(api)
        for _ in range(LOOKS):
            stage.look()
        assert list(stage.engine.all().values()) == ["going"]
        address.goes()
        waits(stage)

        address.comes(api)
        fate.held = False
        stage.episode([stage.time.now(), *rest])
        assert stage.outcomes == ["Refused", "Refused", "Promoted"]
        assert len(stage.engine.all()) == len(stage.effects) == len(stage.attempts)
