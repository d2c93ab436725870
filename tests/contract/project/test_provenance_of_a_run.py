"""What `run` recorded of a project, asked for by the commands that a user types."""

import hashlib
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trimtab.api.provenance import Code

pytestmark = pytest.mark.xdist_group("kfp")


@pytest.fixture
def asked(monkeypatch, capsys):
    """What a command printed in a folder, once it has ended as it should."""
    from trimtab.cli.app import invoke

    def ask(folder, *arguments, status=0):
        monkeypatch.chdir(folder)
        ended = invoke(list(arguments))
        said = capsys.readouterr()
        assert ended == status, f"{arguments}: {ended}\n{said.out}\n{said.err}"
        return said.out if status == 0 else said.err

    return ask


@pytest.fixture
def own(project, tmp_path):
    """A copy of the project and its run, without what a plane left in it: sockets can't be copied."""
    ignored = shutil.ignore_patterns("plane", "collector")
    return shutil.copytree(project[0], tmp_path / "churn", symlinks=True, ignore=ignored)


@pytest.fixture(scope="module")
def named(project):
    """The ids under which the fixture's one run is known."""
    record = json.loads(next(project[0].glob(".trimtab/runs/*/run.json")).read_text())
    trained = next(task for task in record["tasks"] if task["name"] == "train")
    return [record["id"], trained["outputs"]["run"], "churn/1"]


def test_a_run_is_made_again_to_the_bit(project, named, asked):
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


def test_a_run_in_a_checkout_records_its_commit_and_what_was_installed(project, named):
    from trimtab.adapters import machine
    from trimtab.bootstrap.local import open_project, registry
    from trimtab.local.reproduce.recorded import provenance_named

    loaded, home = open_project(project[0])
    made, held = provenance_named(named[0], loaded, home), registry(home)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project[0], capture_output=True, text=True, check=True
    )
    assert made.code == Code(commit=head.stdout.strip())
    assert made.libraries.digest == machine.libraries().digest
    version = held.version("churn", "1")
    for tags in (held.run_tags(named[1]), version.tags):
        assert tags["trimtab.commit"] == made.code.commit
        assert tags["trimtab.lock"] == made.libraries.digest
        assert (tags["trimtab.lock.file"], tags["trimtab.lock.file.digest"]) == ("uv.lock", made.lock.digest)
    assert made.lock.digest == hashlib.sha256((project[0] / "uv.lock").read_bytes()).hexdigest()
    assert "uv.lock" not in made.bundle.files


def test_a_version_is_walked_down_to_its_source(project, named, asked):
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


def test_a_version_that_is_not_there_is_answered_with_those_that_are(project, asked):
    assert "there are churn/1" in asked(project[0], "lineage", "churn/99", status=2)


def test_a_prediction_is_walked_down_to_its_row_and_its_model(own, asked):
    from trimtab.adapters.mlflow import MlflowRegistry
    from trimtab.adapters.mlflow.client import local_uri
    from trimtab.collector.log import Kind, Log, Record
    from trimtab.rollout import revision_id

    folder = own
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


@pytest.fixture
def catalogue():
    """An HTTP server that takes events as a catalogue does; its address and what came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            came.append((self.path, body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()


def test_a_run_tells_a_catalogue_what_each_task_read_and_wrote(own, asked, catalogue):
    folder = own
    address, came = catalogue
    asked(folder, "run", "--openlineage", address)
    assert {path for path, _ in came} == {"/api/v1/lineage"}
    events = [event for _, event in came]
    assert [(event["eventType"], event["job"]["name"]) for event in (events[0], events[-1])] == [
        ("START", "churn.training"),
        ("COMPLETE", "churn.training"),
    ]
    ended = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    started = {event["job"]["name"]: event for event in events if event["eventType"] == "START"}
    assert ended.keys() == started.keys()
    for name, event in ended.items():
        assert event["run"]["runId"] == started[name]["run"]["runId"]
        if name != "churn.training":
            parent = event["run"]["facets"]["parent"]
            assert parent["run"]["runId"] == events[0]["run"]["runId"]
    assert next(one["name"] for one in ended["churn.training.ingest"]["inputs"]).endswith("customers.csv")
    (features,) = ended["churn.training.featurize"]["outputs"]
    assert features["name"] == str(folder / ".trimtab/tables/_features/data")
    assert features["facets"]["version"]["datasetVersion"] == "1"
    assert {"name": "visits", "type": "number"} in features["facets"]["schema"]["fields"]
    assert features["outputFacets"]["outputStatistics"]["rowCount"] == 600
    assert ended["churn.training.train"]["inputs"][0]["name"] == features["name"]
    assert ended["churn.training.register"]["outputs"][0]["namespace"] == "mlflow"
