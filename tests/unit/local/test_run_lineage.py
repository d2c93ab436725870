"""Events of a run in OpenLineage's form; an endpoint that is dead costs one sentence and no run."""

import json
import socket
from datetime import datetime
from uuid import UUID

import pytest

from trimtab.adapters.openlineage import transport
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import load
from trimtab.api.errors import InputRefused
from trimtab.bootstrap.local import Prepared
from trimtab.local.runs import LocalRuns

MOMENTS = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}


def check(event):
    """What specification 2-0-2 requires of a RunEvent, its datasets and its facets."""
    assert event["eventType"] in MOMENTS
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert event["producer"].startswith("https://")
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    UUID(event["run"]["runId"])
    held = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for named in held[1:]:
        assert {type(named["namespace"]), type(named["name"])} == {str}
    kinds = ("facets", "inputFacets", "outputFacets")
    for facet in (facet for one in held for kind in kinds for facet in one.get(kind, {}).values()):
        assert facet["_producer"] == event["producer"]
        assert facet["_schemaURL"].startswith("https://openlineage.io/spec/")


PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: tryout
sources: {visits: {files: visits.csv}}
examples: {table: visits, label: {column: y}}
"""
FAILED = {
    "event": "task_ended", "task": "ingest", "seconds": 1.0, "succeeded": False, "log": "",
    "failure": {"sentence": "visits.csv holds no row", "status": 2},
}  # fmt: skip


class Player:
    """A host that says what a real one would of a task that fails."""

    def run(self, ir, arguments, folder, on_event):
        on_event({"event": "task_started", "task": "ingest"})
        on_event(FAILED)
        return {"event": "run_ended", "succeeded": False}


class Breaks:
    def run(self, ir, arguments, folder, on_event):
        raise KeyboardInterrupt


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "trimtab.yaml").write_text(PROJECT)
    (tmp_path / "visits.csv").write_text("y\n1\n")
    heard = []

    def made(address, host):
        home = Home.of(tmp_path)
        prepared = Prepared(load(tmp_path), home, home.bundles / "tryout-1", home.runs / "ir.yaml", address)
        return LocalRuns(prepared, lambda: host, heard.append), heard

    return made


def told(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(made):
    return made.run("r", {"until": "2024-01-01T00:00:00+00:00"})


def test_a_failed_task_fails_its_run_and_that_of_the_pipeline_and_says_why(runs, tmp_path):
    run(runs(str(tmp_path / "events.jsonl"), Player())[0])
    events = told(tmp_path / "events.jsonl")
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "tryout.training"),
        ("START", "tryout.training.ingest"),
        ("FAIL", "tryout.training.ingest"),
        ("FAIL", "tryout.training"),
    ]
    assert events[2]["run"]["facets"]["errorMessage"]["message"] == "visits.csv holds no row"
    assert events[2]["inputs"] == [{"namespace": "file", "name": "visits.csv", "facets": {}}]
    for event in events:
        check(event)


def test_a_run_that_is_broken_off_is_aborted(runs, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(runs(str(tmp_path / "events.jsonl"), Breaks())[0])
    assert [event["eventType"] for event in told(tmp_path / "events.jsonl")] == ["START", "ABORT"]


def test_a_second_attempt_at_a_run_is_another_run(runs, tmp_path):
    for _ in range(2):
        run(runs(str(tmp_path / "events.jsonl"), Player())[0])
    assert len({event["run"]["runId"] for event in told(tmp_path / "events.jsonl")}) == 4


def test_a_dead_endpoint_costs_one_sentence_and_no_run(runs):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        made, heard = runs(f"http://127.0.0.1:{held.getsockname()[1]}", Player())
        assert run(made).state == "Failed"
    (warned,) = [event["said"] for event in heard if event["event"] == "warned"]
    assert "refused" in warned
    assert "the run goes on" in warned


def test_nothing_is_sent_where_nobody_asked(runs, tmp_path):
    before = set(tmp_path.iterdir())
    _, heard = runs(None, Player())
    run(_)
    assert not [event for event in heard if event["event"] == "warned"]
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {".trimtab"}


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("kafka://broker/topic", "kafka is not known here"),
        ("http:///path", "no host"),
        ("https://${NO_SUCH_HOST_9}", "a variable of it is not set"),
        ("nowhere/events.jsonl", "cannot be written"),
    ],
)
def test_an_address_that_cannot_be_is_refused_before_anything_runs(address, says):
    with pytest.raises(InputRefused, match=says):
        transport(address)


def test_a_key_of_the_environment_is_sent_as_a_bearer_token(monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        came = []

        def answer():
            connection, _ = server.accept()
            with connection:
                came.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        transport(f"http://127.0.0.1:{server.getsockname()[1]}/custom")({"eventType": "START"})
        thread.join(10)
    assert came[0].startswith(b"POST /custom HTTP")
    assert b"Authorization: Bearer secret" in came[0]
