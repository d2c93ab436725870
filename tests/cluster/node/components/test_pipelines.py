"""Each pipeline as its IR says: every executor in a container of its own, on a real kubelet and containerd."""

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.node.components import shop
from tests.cluster.node.components.conftest import FROM, KEY
from tests.cluster.node.components.steps import LOST, Ir, Step
from trimtab.adapters.step_pods.ir import PROGRAM
from trimtab.api.errors import ExitStatus

if TYPE_CHECKING:
    from tests.cluster.node.components.conftest import Team

pytestmark = [
    pytest.mark.xdist_group("node"),
    pytest.mark.filterwarnings("ignore:Task .* have no effect in the current local runner"),  # here they have
]

NOBODY: Final = 65532
DATA: Final = ["ingest", "build", "validate"]
LEARNING: Final = ["admit", *DATA, "featurize", "train", "evaluate"]
OWN: Final = {"train": "run", "refit": "version"}
"""Outputs that name a run of MLflow, by task."""
TYPES: Final = {"Dataset", "Model", "Metrics", "ClassificationMetrics", "HTML", "Markdown", "Artifact"}


def tasks(steps: list[Step]) -> list[str]:
    return [step.task for step in steps]


def told(steps: list[Step]) -> dict[str, Any]:
    """What tasks said, the last try of each."""
    return {step.task: shop.said(step.output) for step in steps}


def assert_went_well(steps: list[Step]) -> None:
    for step in steps:
        assert step.status == 0, f"{step.task}: {step.log}"
        for name, (type_, path) in step.artefacts.items():
            assert type_.removeprefix("system.") in TYPES
            if type_ not in ("system.Metrics", "system.ClassificationMetrics"):  # these are metadata
                assert path.exists(), f"{step.task}: {name}"
                assert path.stat().st_uid == NOBODY


def test_a_training_run_is_twelve_pods_of_its_ir(team: "Team", trained: list[Step]) -> None:
    assert sorted(tasks(trained)) == sorted(
        [*LEARNING, "refit", "materialize", "export", "register", "report"]
    )
    assert_went_well(trained)
    ir = Ir.read(team.irs["training"])
    for step in trained:
        said = ir.executors[step.executor]["container"]
        assert step.container["image"] == said["image"]
        in_the_shell_s_place = [part.replace(PROGRAM, f"exec env {PROGRAM}") for part in said["command"]]
        assert step.container["command"] == in_the_shell_s_place != said["command"]
        assert step.container["args"][2:] == said["args"][2:]
        assert said["args"][:2] == ["--executor_input", "{{$}}"]


def test_pods_learn_what_this_machine_learns_to_the_last_bit(
    trained: list[Step], predicted: list[Step], here: dict[str, Any]
) -> None:
    there = told(trained) | {"predict": told(predicted)["predict"]}
    for task, outputs in here.items():
        for own in (outputs, there[task]):
            own.pop(OWN.get(task, ""), None)
        assert there[task] == outputs, task
    assert there["export"]["digest"]
    assert there["evaluate"]["metrics"]["roc_auc"] > 0.55


def test_a_model_s_provenance_has_its_image_by_digest(trained: list[Step]) -> None:
    (export,) = (step for step in trained if step.task == "export")
    _, servable = export.artefacts["servable"]
    image = json.loads((servable.parent / "provenance.json").read_text())["image"]
    assert image.startswith(export.container["image"])
    assert "sha256:" in image


def test_a_model_that_is_refused_takes_the_other_branch_and_a_lost_pod_is_tried_again(
    team: "Team", trained: list[Step], refused: list[Step]
) -> None:
    lost = tasks(refused).index("train")
    assert refused[lost].status == LOST
    assert sorted(tasks(refused)) == sorted([*LEARNING, "train", "export-2", "register-2", "report"])
    assert_went_well(refused[:lost] + refused[lost + 1 :])
    assert "roc_auc is 0.6" in told(refused)["evaluate"]["because"]
    ran = {step.executor for step in [*trained, *refused]}
    assert ran == Ir.read(team.irs["training"]).executors.keys()


def test_the_claim_of_a_key_is_taken_by_one_run_and_the_next_does_nothing(
    team: "Team", trained: list[Step]
) -> None:
    from trimtab.adapters.claims import read_claim

    claim = read_claim(team.node.cluster, team.namespace, KEY)
    assert claim is not None
    assert claim.effect is not None
    assert claim.effect.version == told(trained)["register"]["version"] == "1"
    again = team.run("training", "passes", key=KEY, claims=team.namespace)
    assert tasks(again) == ["admit", "report"]
    assert told(again)["admit"] == {"Output": False}


def test_accelerators_secrets_and_places_are_those_of_the_ir(trained: list[Step]) -> None:
    fitted = {step.task for step in trained if shop.ACCELERATOR in step.container["resources"]["limits"]}
    assert fitted == {"train", "refit"}
    for step in trained:
        assert step.container["resources"]["requests"]["memory"] in ("1Gi", "2Gi")
        assert {one["name"] for one in step.container["env"]} == {
            "KFP_POD_NAME", "TRIMTAB_TASK_LOG", "TRIMTAB_TASK_FAILURE",
            "TRIMTAB_TASK_IMAGE", "TRIMTAB_PLATFORM", "TRIMTAB_HOME", "TRIMTAB_MODELS", shop.PASSWORD,
        }  # fmt: skip
        assert step.pod["spec"]["nodeSelector"] == {shop.POOL: "training"}
        assert step.pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_predictions_are_made_of_a_registered_model(team: "Team", predicted: list[Step]) -> None:
    assert tasks(predicted) == [*DATA, "predict", "report"]
    assert_went_well(predicted)
    assert {step.executor for step in predicted} == Ir.read(team.irs["batch-prediction"]).executors.keys()
    assert told(predicted)["predict"]["predicted"] > 10_000


def test_a_backfill_is_a_pod_a_period(team: "Team", predicted: list[Step]) -> None:
    steps = team.run("backfill", "passes", since=FROM, every="14d")
    assert sorted(tasks(steps)) == sorted([*DATA, "periods", "predict", "predict", "report"])
    assert_went_well(steps)


def test_the_online_store_is_filled(team: "Team", trained: list[Step]) -> None:
    steps = team.run("materialization", "passes")
    assert tasks(steps) == [*DATA, "featurize", "materialize", "report"]
    assert_went_well(steps)
    assert "keys written by view" in steps[-2].log


def test_a_step_that_fails_says_why_and_what_to_do_and_the_report_is_still_written(
    team: "Team", trained: list[Step]
) -> None:
    steps = team.run("materialization", "waits")
    assert tasks(steps) == [*DATA, "report"]
    failed, report = steps[-2:]
    assert failed.status == 1
    assert failed.failure is not None
    assert failed.failure["sentence"].startswith("expectations do not hold: departures")
    assert failed.failure["remedy"].startswith("mend the data, or change expectations.yaml")
    assert failed.failure["status"] in (ExitStatus.NO, ExitStatus.INPUT)
    assert_went_well([*steps[:-2], report])
    page = report.artefacts["page"][1].read_text()
    assert "FAILED" in page
