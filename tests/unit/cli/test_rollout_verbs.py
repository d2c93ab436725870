"""`trimtab rollout`: what a person sees of a rollout, and orders."""

import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from trimtab.adapters.state import SqliteState
from trimtab.api.errors import InputRefused
from trimtab.api.rollout_status import CheckStatus, Phase, Rejected, RevisionRef, RolloutStatus, StepStatus
from trimtab.cli import plane, rollout

T = datetime(2013, 6, 1, tzinfo=UTC)
STABLE, CANDIDATE, PREVIOUS = (
    RevisionRef(revision=revision, version=version, uri="/m", digest="d")
    for revision, version in (("aaaaaaaa", "1"), ("bbbbbbbb", "2"), ("cccccccc", "0"))
)
STATUS = RolloutStatus(
    phase=Phase.SHADOW,
    stable=STABLE,
    candidate=CANDIDATE,
    step=StepStatus(name="shadow", index=0, trail=("x",), started_at=T, elapsed_s=2 * 86_400.0),
    traffic={"aaaaaaaa": 100},
    mirror="bbbbbbbb",
    checks=(
        CheckStatus(name="loss", step="shadow", verdict="Inconclusive", estimate=0.01, units=3, reason="few"),
    ),
    rejected=(Rejected(revision="dddddddd", version="3", because="Fail: loss", at=T),),
)


PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: tryout
sources: {rows: {files: rows.csv}}
examples: {label: {column: y}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "tryout"
    folder.mkdir()
    (folder / "trimtab.yaml").write_text(PROJECT)
    (folder / "rows.csv").write_text("x,y\n1,0\n")
    monkeypatch.chdir(folder)
    return tmp_path / "tryout"


@pytest.fixture
def state(project):
    return SqliteState(project / ".trimtab" / "state.db")


def holds(state, **update):
    held = state.read("ModelRollout", "tryout")
    body = STATUS.model_copy(update=update).model_dump(mode="json", by_alias=True)
    state.write("ModelRollout", "tryout", body, held and held.version)


def run(*arguments):
    app = typer.Typer()
    rollout.register(app)
    return CliRunner().invoke(app, ["rollout", *arguments], catch_exceptions=False, standalone_mode=False)


def test_status_shows_where_it_stands_and_why(state):
    holds(state)
    shown = run("status")
    assert shown.return_value == 0
    for word in (
        "tryout",
        "Shadow",
        "bbbbbbbb",
        "mirrored",
        "2.0 days",
        "loss",
        "Inconclusive",
        "dddddddd",
        "Fail",
    ):
        assert word in shown.output
    assert json.loads(run("status", "--json").output)["phase"] == "Shadow"


def test_status_exits_1_when_a_person_is_needed(state):
    holds(state, stalled="nothing can be said")
    shown = run("status")
    assert shown.return_value == 1
    assert "nothing can be said" in shown.output


@pytest.mark.parametrize("verb", ["abort", "promote"])
def test_an_order_names_the_candidate_and_who_gave_it(state, verb):
    holds(state)
    run(verb)
    order = state.act("tryout")
    assert (order.verb, order.revision) == (verb, "bbbbbbbb")
    assert order.by
    holds(state, candidate=None)
    with pytest.raises(InputRefused, match="no candidate"):
        run(verb)


def test_approve_is_of_the_step_that_waits(state):
    holds(state)
    with pytest.raises(InputRefused, match="nothing waits"):
        run("approve")
    holds(state, phase=Phase.AWAITING_APPROVAL)
    run("approve")
    assert state.act("tryout").step == "shadow"


def test_undo_needs_a_previous_revision(state):
    holds(state)
    with pytest.raises(InputRefused, match="no previous"):
        run("undo")
    holds(state, previous=PREVIOUS)
    run("undo")
    assert state.act("tryout").revision == "aaaaaaaa"


def test_retry_is_of_a_rejected_revision(state):
    holds(state)
    run("retry")
    assert state.act("tryout").revision == "dddddddd"
    with pytest.raises(InputRefused, match="was not rejected"):
        run("retry", "bbbbbbbb")
    holds(state, rejected=())
    with pytest.raises(InputRefused, match="no revision was rejected"):
        run("retry")


def test_suspend_and_resume(state):
    run("suspend")
    assert state.suspended("tryout")
    assert "suspended" in run("status").output
    run("resume")
    assert not state.suspended("tryout")


def test_where_no_loop_has_run_it_says_so(project):
    with pytest.raises(InputRefused, match="no loop has run"):
        run("status")


def test_status_says_what_the_monitor_cannot_judge(state):
    from trimtab.api.monitor import MonitorStatus

    holds(state)
    held = MonitorStatus(hindrances={"Performance": "performance is not judged: 0 days of skill"})
    state.write("DriftMonitor", "tryout", held.model_dump(mode="json", by_alias=True), None)
    assert "monitor: performance is not judged: 0 days of skill" in run("status").output
    whole = typer.Typer()
    plane.register(whole)
    shown = CliRunner().invoke(whole, ["status"], standalone_mode=False)
    assert "performance is not judged" in shown.output
