"""What a run's record says of its end: by a task, outside its tasks, or not at all."""

import json

import pytest

from trimtab.adapters.projects.home import Home
from trimtab.api.errors import ExitStatus, SurroundingsFailed
from trimtab.local.runs import LocalRuns, Record, keep_pages
from trimtab.local.training import ended
from trimtab.ports.runs import RunState

EVALUATED = {"event": "task_ended", "task": "evaluate", "seconds": 1.0, "succeeded": True, "log": "",
             "outputs": {"passed": True, "because": "the gates are passed"}}  # fmt: skip


class Ends:
    """A host that says what a broken one would: a full disk at a chosen moment cannot be made to order."""

    def __init__(self, *events, raises=None):
        self.events, self.raises = events, raises

    def run(self, ir, arguments, folder, on_event):
        for event in self.events:
            on_event(event)
        if self.raises:
            raise self.raises
        return self.events[-1]


@pytest.fixture
def home(tmp_path):
    return Home.of(tmp_path)


def runs(home, host):
    from trimtab.bootstrap.local import Prepared

    prepared = Prepared(None, home, home.bundles / "tryout-1", home.runs / "tryout-1.yaml")
    return LocalRuns(prepared, lambda: host)


ARGUMENTS = {"until": "2024-01-01T00:00:00+00:00"}


def test_a_run_that_fails_outside_its_tasks_has_failed_and_says_of_what(home):
    host = Ends(EVALUATED, {"event": "run_ended", "succeeded": False, "error": "No space left on device"})
    record = runs(home, host).run("r", ARGUMENTS)
    held = Record.read(home.runs / "r")
    assert held == record
    assert held.as_run().state is RunState.FAILED
    assert held.outcome() == "failed: outside its steps: No space left on device"
    with pytest.raises(SurroundingsFailed, match="No space left on device") as failed:
        ended(record, home)
    assert failed.value.status == ExitStatus.SURROUNDINGS
    assert "--resume r" in failed.value.remedy


def test_a_run_that_ended_well_has_no_error(home):
    record = runs(home, Ends(EVALUATED, {"event": "run_ended", "succeeded": True})).run("r", ARGUMENTS)
    assert ended(record, home).passed
    assert record.error == ""


def test_a_run_that_another_process_is_at_work_on_is_let_alone(home, monkeypatch):
    from trimtab.adapters.kfp import at_work

    monkeypatch.setattr(at_work, "GONE_S", 0.0)
    folder = home.runs / "r"
    folder.mkdir(parents=True)
    well = Ends(EVALUATED, {"event": "run_ended", "succeeded": True})
    with at_work.alone(folder), at_work.joined(folder):
        with pytest.raises(SurroundingsFailed, match="another process is at work on run r") as refused:
            runs(home, well).run("r", ARGUMENTS)
        assert not (folder / "run.json").exists()
    assert "trimtab status" in refused.value.remedy
    assert ended(runs(home, well).run("r", ARGUMENTS), home).passed


def test_a_run_that_ended_well_while_it_was_waited_for_is_not_made_again(home):
    well = Ends(EVALUATED, {"event": "run_ended", "succeeded": True})
    first = runs(home, well).run("r", ARGUMENTS)
    assert runs(home, None).run("r", ARGUMENTS) == first


def test_a_record_that_cannot_be_written_is_the_surroundings_fault_and_the_run_can_go_on(home):
    host = Ends(EVALUATED, raises=OSError(28, "No space left on device"))
    with pytest.raises(SurroundingsFailed, match=r"r broke off: \[Errno 28\] No space left"):
        runs(home, host).run("r", ARGUMENTS)
    assert json.loads((home.runs / "r" / "run.json").read_text())["state"] == RunState.RUNNING.value


def test_pages_of_a_run_lie_beside_its_record_and_the_latest_wins(tmp_path):
    for began, text in (("pipeline-1", "old"), ("pipeline-2", "new")):
        for name, artefact in (("validate", "report"), ("validate", "outcome"), ("report", "page")):
            (tmp_path / "artifacts" / began / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "artifacts" / began / name / artefact).write_text(text)
    keep_pages(tmp_path)
    held = {path.name: path.read_text() for path in tmp_path.glob("*.*")}
    assert held == dict.fromkeys(("validate.html", "validate.json", "report.html"), "new")
