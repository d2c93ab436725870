"""`init`, `check`, `run` on a table that is not flights; resuming; Python; a model from elsewhere; the endpoint."""

import html
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trimtab.api.errors import DataRefused, InputRefused

TRIMTAB = Path(sys.executable).parent / "trimtab"
pytestmark = pytest.mark.xdist_group("kfp")


@pytest.fixture(scope="module")
def trimtab(request):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("project_conftest", Path(__file__).parent / "conftest.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.trimtab


@pytest.fixture(scope="module")
def customers(table):
    import pandas as pd

    frame = pd.read_csv(table, na_values=["?"])
    frame["seen"] = pd.to_datetime(frame["seen"]).dt.tz_localize("UTC")
    return frame


def test_a_run_prints_a_line_a_step_and_ends_in_a_candidate(project):
    folder, printed = project
    for step in (
        "ingest",
        "build",
        "validate",
        "featurize",
        "train",
        "evaluate",
        "refit",
        "export",
        "register",
    ):
        assert f"done    {step}" in printed
    assert "candidate: version 1" in printed
    record = json.loads(next(folder.glob(".trimtab/runs/*/run.json")).read_text())
    assert record["state"] == "Succeeded"
    assert len(list(folder.glob(".trimtab/models/*/model.onnx"))) == 1


def test_predictions_come_as_the_kind_that_was_given_in_its_order(project, customers):
    import pyarrow as pa

    import trimtab

    loaded = trimtab.Project.load(project[0])
    some = customers.sample(50, random_state=1)
    answer = loaded.predict(some)
    assert list(answer.index) == list(some.index)
    assert answer["prediction"].between(0, 1).all()
    ranked = answer["prediction"].corr(some["visits"])
    assert ranked < -0.5
    arrow = loaded.predict(pa.Table.from_pandas(some, preserve_index=False))
    assert arrow.column("prediction").to_pylist() == answer["prediction"].tolist()


def test_features_are_those_of_training(project, customers):
    import trimtab

    loaded = trimtab.Project.load(project[0])
    some = customers.tail(20).sample(frac=1, random_state=2)
    made = loaded.features(some)
    assert list(made["visits"]) == list(some["visits"])
    assert set(made.columns) == {"Größe (cm)", "visits", "region"}


def test_rows_that_do_not_fit_are_refused_by_name(project, customers):
    import trimtab

    loaded = trimtab.Project.load(project[0])
    with pytest.raises(DataRefused, match="lacks 'visits'"):
        loaded.predict(customers.drop(columns="visits"))
    with pytest.raises(DataRefused, match="'seen' holds times without a zone"):
        loaded.predict(customers.assign(seen=customers["seen"].dt.tz_localize(None)))
    with pytest.raises(InputRefused, match="no table"):
        loaded.predict([1, 2])


def test_a_notebook_shows_the_project_and_its_runs(project):
    import trimtab

    shown = trimtab.Project.load(project[0])._repr_html_()
    assert "<h4>churn</h4>" in shown
    assert "candidate: version 1" in shown


@pytest.fixture(scope="module")
def run_here(tmp_path_factory):
    """Run a folder's project, or go on with its last run, as the command does, in one warm host for all tests."""
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.bootstrap.local import open_project, prepare, run_parameters
    from trimtab.local.runs import LocalRuns, latest, new_id
    from trimtab.local.training import ended

    with PipelineHost(tmp_path_factory.mktemp("host") / "host.log") as host:

        def run(folder, *, resume=False, hear=lambda _: None):
            loaded, home = open_project(folder)
            prepared = prepare(loaded, home)
            runs = LocalRuns(prepared, lambda: host, hear)
            if resume:
                return ended(runs.resume(LocalRuns.resumable(prepared, latest(home))), home)
            return ended(runs.run(new_id(), run_parameters(None, None, "", force=False)), home)

        yield run


@pytest.fixture
def copied(project, tmp_path):
    """The project's files in a folder of their own, nothing made of them yet."""
    import shutil

    return Path(shutil.copytree(project[0], tmp_path / "churn", ignore=shutil.ignore_patterns(".trimtab")))


def test_a_step_that_fails_says_why_and_mended_files_want_a_new_run(copied, run_here):
    from trimtab.local.runs import TaskFailed

    lines = (copied / "trimtab.yaml").read_text().splitlines()
    changed = ["model: model.py" if line.startswith("model:") else line for line in lines]
    (copied / "trimtab.yaml").write_text("\n".join(changed))
    (copied / "model.py").write_text("def build(schema):\n    raise ValueError('as asked')\n")
    with pytest.raises(TaskFailed) as failed:
        run_here(copied)
    assert "step 'train' failed: model.py: build raised ValueError: as asked (line 2)" in failed.value.message
    assert failed.value.status == 2
    assert failed.value.remedy.endswith("then: trimtab run")
    assert Path(failed.value.message.split("log: ")[1]).exists()
    (copied / "model.py").write_text("def build(schema):\n    return None\n")
    with pytest.raises(InputRefused, match="the project changed since"):
        run_here(copied, resume=True)


def test_a_feature_without_a_value_is_told_while_it_runs_in_its_log_and_on_its_page(copied, run_here):
    (data,) = (copied / "data").iterdir()
    head, *rows = data.read_text().splitlines()
    data.write_text("\n".join([f"{head},note", *(f"{row}," for row in rows)]) + "\n")
    events = []
    run = run_here(copied, hear=events.append)
    told = (
        "feature 'note' has no value in any of 600 rows; "
        "mend what makes it in table 'data' or in trimtab.yaml, or leave it out"
    )
    lines = [(event["task"], event["line"]) for event in events if event["event"] == "task_progress"]
    assert lines == [("featurize", f"warning: {told}")]
    assert run.passed
    folder = next(copied.glob(".trimtab/runs/*/run.json")).parent
    assert told in next(folder.rglob("featurize.log")).read_text()
    assert told in html.unescape((folder / "report.html").read_text())


def test_a_killed_run_goes_on_where_it_was(copied, run_here, tmp_path):
    with (tmp_path / "out").open("wb") as output:
        killed = subprocess.Popen([str(TRIMTAB), "run"], cwd=copied, stdout=output, stderr=output)
    deadline = time.monotonic() + 120
    while not done_steps(copied) >= {"ingest", "build", "validate", "featurize"}:
        assert killed.poll() is None, (tmp_path / "out").read_text()
        assert time.monotonic() < deadline, (tmp_path / "out").read_text()
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before, events = done_steps(copied), []
    run = run_here(copied, resume=True, hear=events.append)
    again = {event["task"] for event in events if event["event"] == "task_started"}
    assert not again & (before - {"admit", "report"})
    assert run.passed
    assert run.version == "1"
    with pytest.raises(InputRefused, match="nothing to go on with"):
        run_here(copied, resume=True)


def test_a_run_killed_in_its_search_goes_on_with_the_trials_that_it_has(copied, run_here, tmp_path):
    with (copied / "trimtab.yaml").open("a") as file:
        file.write("search: {trials: 60, space: {logistic: {}}, folds: {count: 2}}\n")
    with (tmp_path / "out").open("wb") as output:
        killed = subprocess.Popen([str(TRIMTAB), "run"], cwd=copied, stdout=output, stderr=output)
    deadline = time.monotonic() + 180
    while (tmp_path / "out").read_text().count("  trial ") < 3:
        assert killed.poll() is None, (tmp_path / "out").read_text()
        assert time.monotonic() < deadline, (tmp_path / "out").read_text()
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    events = []
    run = run_here(copied, resume=True, hear=events.append)
    lines = [event["line"] for event in events if event["event"] == "task_progress"]
    assert [event["task"] for event in events if event["event"] == "task_progress"] == ["train"] * len(lines)
    assert 1 <= len(lines) <= 57
    assert [line.split()[1] for line in lines] == sorted({line.split()[1] for line in lines}, key=int)
    assert run.version == "1"
    folder = next(copied.glob(".trimtab/runs/*/run.json")).parent
    page = (folder / "search.html").read_text()
    assert page.count("the project&#39;s own") >= 1
    printed = (tmp_path / "out").read_text()
    first = next(
        line for line in printed.splitlines() if "trial 0 of 60 (the project's own): log_loss" in line
    )
    assert first.split("log_loss ")[1].split(";")[0] in page


def done_steps(folder):
    records = list(folder.glob(".trimtab/runs/*/run.json"))
    if not records:
        return set()
    return {task["name"] for task in json.loads(records[0].read_text())["tasks"] if task["succeeded"]}


def test_a_model_that_its_gates_refuse_is_a_version_and_no_candidate(copied, run_here):
    from trimtab.bootstrap.local import open_project, registry

    with (copied / "trimtab.yaml").open("a") as file:
        file.write("evaluation: {gates: [{metric: roc_auc, atLeast: 0.999}]}\n")
    run = run_here(copied)
    assert run.passed is False
    assert "roc_auc" in run.because
    held = registry(open_project(copied)[1])
    assert held.version("churn", run.version).tags["trimtab.refused"] == run.because
    assert held.alias("churn", "candidate") is None


def test_an_onnx_file_from_elsewhere_becomes_the_candidate(copied, trimtab, customers):
    import trimtab as library

    folder = copied
    (folder / "other.onnx").write_bytes(by_visits())
    customers.to_parquet(folder / "seen.parquet")
    done = trimtab(folder, "register", "other.onnx", "--profile", "seen.parquet", "--classes", "no,yes")
    assert "it is the candidate" in done.stdout
    answers = library.Project.load(folder).predict(customers[["visits", "seen"]])
    assert answers["prediction"].corr(customers["visits"]) < -0.9
    trimtab(folder, "register", "other.onnx", "--profile", "seen.parquet", "--classes", "a,b,c", status=2)
    (folder / "broken.onnx").write_bytes(b"no model")
    broken = trimtab(folder, "register", "broken.onnx", "--profile", "seen.parquet", status=2)
    assert "cannot load" in broken.stderr


def by_visits():
    """A tiny model: named input `visits`, output `probabilities`, 1 - sigmoid(visits) first."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["visits"], ["minus"]),
            helper.make_node("Mul", ["minus", "scale"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["yes"]),
            helper.make_node("Sub", ["one", "yes"], ["no"]),
            helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
        ],
        "by_visits",
        [helper.make_tensor_value_info("visits", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [1], [0.01]),
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()


def test_the_project_compiles_to_a_pipeline_of_its_own(project, trimtab, tmp_path):
    trimtab(project[0], "pipeline", "compile", "-o", str(tmp_path / "training.yaml"))
    assert "pipelineInfo" in (tmp_path / "training.yaml").read_text()


def test_the_model_is_served_and_the_printed_line_asks_it(project, trimtab, table):
    folder, _ = project
    try:
        up = trimtab(folder, "up").stdout
        line = next(line for line in up.splitlines() if line.startswith("ask it:")).removeprefix("ask it:")
        asked = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=60)
        assert 0 <= json.loads(asked.stdout)["predictions"][0] <= 1
        answers = json.loads(trimtab(folder, "predict", str(table), "--json").stdout)
        assert len(answers) == 600
        shown = trimtab(folder, "predict", str(table)).stdout.splitlines()
        assert shown[0].split("\t")[0] == "k0000"
        (folder / "row.json").write_text('{"visits": "many"}')
        assert "lacks" in trimtab(folder, "predict", "row.json", status=2).stderr
        assert "candidate: version" in trimtab(folder, "status").stdout
    finally:
        trimtab(folder, "down")
    assert "trimtab up" in trimtab(folder, "predict", status=4).stderr
