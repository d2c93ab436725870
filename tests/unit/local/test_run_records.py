"""Records of runs: what a run's folder keeps, and how one is gone on with."""

from pathlib import Path

import pytest

from trimtab.adapters.projects.home import Home
from trimtab.api.errors import ExitStatus, InputRefused
from trimtab.bootstrap.local import Prepared
from trimtab.local.runs import LocalRuns, Record, TaskFailed, TaskRecord, latest, recorded

FAILURE = {"type": "ModelRefused", "sentence": "model.py: build raised", "remedy": "mend build", "status": 2}


def record(identity="r1", state="Failed", started="2024-01-01T00:00:00+00:00", project="/p/shop-1", **more):
    return Record(identity, "", project, {"until": "2024-01-01T00:00:00+00:00"}, started, state, **more)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    tasks = (TaskRecord("train", 1.5, False, "train.log", {"run": "a"}, FAILURE),)
    written = record(tasks=tasks)
    written.write(tmp_path / "r1")
    assert Record.read(tmp_path / "r1") == written
    assert Record.read(tmp_path / "none") is None
    assert [path.name for path in (tmp_path / "r1").iterdir()] == ["run.json"]


def test_the_newest_run_comes_first_and_other_files_are_no_runs(tmp_path):
    home = Home(tmp_path)
    assert latest(home) is None
    for identity, day in (("a", "02"), ("b", "03"), ("c", "01")):
        record(identity, started=f"2024-01-{day}T00:00:00+00:00").write(home.runs / identity)
    (home.runs / "shop-1.yaml").write_text("ir")
    assert [one.id for one in recorded(home)] == ["b", "a", "c"]
    assert latest(home) == "b"


@pytest.mark.parametrize(
    ("task", "failure", "said"),
    [
        ("train", FAILURE, "failed: train: model.py: build raised"),
        (None, None, "failed: outside its steps: "),
    ],
)
def test_the_outcome_of_a_failed_run_names_its_step(task, failure, said):
    tasks = (TaskRecord(task, 1.0, False, "log", {}, failure),) if task else ()
    assert record(tasks=tasks).outcome() == said


def test_the_outcome_of_a_run_that_was_killed_is_open():
    assert record(state="Running").outcome() == "not ended"


def test_the_outcome_of_a_run_that_came_to_its_gates():
    judged = TaskRecord("evaluate", 1.0, True, "log", {"passed": False, "because": "roc_auc 0.5 < 0.6"})
    kept = TaskRecord("register", 1.0, True, "log", {"version": "3"})
    assert (
        record(state="Succeeded", tasks=(judged, kept)).outcome() == "refused: version 3: roc_auc 0.5 < 0.6"
    )


@pytest.mark.parametrize(
    ("status", "again"),
    [(ExitStatus.INPUT, "trimtab run"), (ExitStatus.SURROUNDINGS, "trimtab run --resume r1")],
)
def test_a_failed_step_says_which_why_where_and_how_to_go_on(status, again):
    task = TaskRecord("train", 1.0, False, "/p/train.log", {}, {**FAILURE, "status": int(status)})
    error = TaskFailed("r1", task)
    assert "step 'train' failed: model.py: build raised" in error.message
    assert "/p/train.log" in error.message
    assert error.remedy.endswith(f"then: {again}")
    assert error.status is status


@pytest.fixture
def prepared(tmp_path):
    home = Home(tmp_path)
    return Prepared(None, home, Path("/p/shop-1"), tmp_path / "ir.yaml")


def test_only_a_run_that_did_not_end_well_over_the_same_files_is_gone_on_with(prepared):
    for one in (record("failed"), record("killed", state="Running"), record("well", state="Succeeded"),
                record("other", project="/p/shop-2")):  # fmt: skip
        one.write(prepared.home.runs / one.id)
    assert LocalRuns.resumable(prepared, "failed").id == "failed"
    assert LocalRuns.resumable(prepared, "killed").id == "killed"
    for identity, said in (
        ("well", "ended well"),
        ("other", "the project changed"),
        ("none", "there is no run"),
    ):
        with pytest.raises(InputRefused, match=said):
            LocalRuns.resumable(prepared, identity)
