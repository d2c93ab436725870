"""What `run` recorded of a project, asked for by the commands that a user types."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("kfp")
TRIMTAB = Path(sys.executable).parent / "trimtab"


def asked(folder, *arguments, status=0):
    """A command's standard output, once it has ended as it should."""
    done = subprocess.run(
        [str(TRIMTAB), *arguments], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def named(project):
    """The ids under which the fixture's one run is known."""
    record = json.loads(next(project[0].glob(".trimtab/runs/*/run.json")).read_text())
    trained = next(task for task in record["tasks"] if task["name"] == "train")
    return [record["id"], trained["outputs"]["run"], "churn/1"]


def test_a_run_is_made_again_to_the_bit(project, named):
    told = json.loads(asked(project[0], "reproduce", named[0], "--json"))
    assert told["identical"]
    assert told["first"] is None
    assert told["rebuilt"] == told["recorded"]


def test_one_provenance_travels_with_pipeline_run_mlflow_run_and_model(project, named):
    from trimtab.bootstrap.local import open_project
    from trimtab.local.reproduce.recorded import provenance_named

    loaded, home = open_project(project[0])
    first, *others = (provenance_named(name, loaded, home) for name in named)
    assert all(other == first for other in others)
    assert first.run == named[1]
    assert first.refitted
    assert first.libraries.packages["scikit-learn"]
    assert first.hardware.cores >= 1


def test_a_version_is_walked_down_to_its_source(project, named):
    told = json.loads(asked(project[0], "lineage", "churn@candidate", "--json"))
    assert told["name"].startswith("churn/")
    printed = asked(project[0], "lineage", "churn/1")
    for line in (
        "model churn/1",
        f"pipelineRun {named[0]}",
        "bundle churn-",
        "source data@0",
        "customers.csv",
    ):
        assert line in printed


def test_a_version_that_is_not_there_is_answered_with_those_that_are(project):
    assert "there are churn/1" in asked(project[0], "lineage", "churn/99", status=2)


def test_a_prediction_is_walked_down_to_its_row_and_its_model(project, tmp_path):
    from trimtab.adapters.mlflow import MlflowRegistry
    from trimtab.adapters.mlflow.client import local_uri
    from trimtab.collector.log import Kind, Log, Record
    from trimtab.rollout import revision_id

    folder = tmp_path / "churn"
    shutil.copytree(project[0], folder, symlinks=True)
    shutil.rmtree(folder / ".trimtab/collector", ignore_errors=True)
    version = MlflowRegistry(local_uri(folder / ".trimtab/mlflow/mlflow.db")).version("churn", "1")
    log = Log(folder / ".trimtab/collector", list)
    list(log.replay())
    event = {
        "id": "1", "source": "server", "type": "dev.trimtab.inference", "time": "2024-06-20T00:00:00Z",
        "revision": revision_id(version.digest, "churn"), "status": 200,
        "data": {"ids": ["k0594"], "times": [1718841600000000], "features": {"visits": [5]}, "predictions": [0.9]},
    }  # fmt: skip
    log.append([Record(Kind.EVENTS, json.dumps([event]).encode())], 0)
    log.close()
    told = json.loads(asked(folder, "lineage", "k0594", "--json"))
    (answer,) = told["madeOf"]
    row, features, model = answer["madeOf"]
    assert row["values"]["Kunde"] == "k0594"
    assert features["name"] == "k0594 in _features/data@0"
    assert (model["kind"], model["name"]) == ("model", "churn/1")
