"""Rollouts by preview and by audience, from the first request to the switch."""

from datetime import timedelta

import pytest

from trimtab.api.rollout import Audience, Rollout
from trimtab.control import ReconcileRollout
from trimtab.ports.gateway import Split, Tells

HOUR = timedelta(hours=1)
HOST = "preview.example.com"
BETA = {"header": {"name": "x-cohort", "value": "beta"}}


def rollout(*steps):
    return Rollout.model_validate({"steps": list(steps), "checks": [], "warmUp": {"requests": 10}})


BLUE_GREEN = rollout(
    {"name": "look", "preview": {"hostname": HOST}, "until": {"minDuration": "6h"}},
    {"name": "sign-off", "approval": {}},
)
A_B = rollout({"name": "beta", "audience": BETA, "until": {"minDuration": "6h"}})


def told(stage):
    return [split for _, split in stage.world.splits]


@pytest.mark.parametrize("clustered", [False, True])
def test_blue_green_leads_nobody_to_the_candidate_until_a_person_switches(make_stage, clustered):
    stage = make_stage(BLUE_GREEN, clustered=clustered)
    first = stage.serve_first()
    assert stage.until(lambda s: s.status.stable is not None, days=1, step=HOUR)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.phase.value == "AwaitingApproval", days=2, step=HOUR)
    assert stage.world.split_now == Split({first: 100}, preview=second, preview_host=HOST)
    assert (stage.status.preview, stage.status.traffic) == (HOST, {first: 100})
    stage.world.order("approve", second, step="sign-off")
    assert stage.until(lambda s: s.status.stable.revision == second, days=2, step=HOUR)
    since_second_came = [split for split in told(stage) if second in split.weights or split.preview]
    assert since_second_came == [
        Split({first: 100}, preview=second, preview_host=HOST),
        Split({second: 100}),
    ]
    assert stage.status.preview == ""
    assert not stage.world.broken_promises


@pytest.mark.parametrize("clustered", [False, True])
def test_an_audience_is_answered_by_the_candidate_and_then_everybody_is(make_stage, clustered):
    stage = make_stage(A_B, clustered=clustered)
    first = stage.serve_first()
    assert stage.until(lambda s: s.status.stable is not None, days=1, step=HOUR)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.phase.value == "Audience", days=2, step=HOUR)
    audience = Audience.model_validate(BETA)
    assert stage.until(lambda s: s.world.split_now.chosen == second, days=1, step=HOUR)
    assert stage.world.split_now == Split({first: 100}, chosen=second, audience=audience)
    assert stage.until(lambda s: s.status.audience == "header x-cohort: beta", days=1, step=HOUR)
    assert stage.until(lambda s: s.status.stable.revision == second, days=2, step=HOUR)
    assert stage.world.split_now == Split({second: 100})
    assert stage.status.audience == ""
    assert not stage.world.broken_promises


def test_an_abort_takes_the_second_host_away(make_stage):
    stage = make_stage(BLUE_GREEN)
    first = stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.preview == HOST, days=1, step=HOUR)
    stage.world.order("abort", second)
    assert stage.until(lambda s: not s.status.in_flight, days=1, step=HOUR)
    assert stage.world.split_now == Split({first: 100})
    assert stage.world.rejected(second)
    assert not stage.world.broken_promises


def test_a_gateway_that_cannot_tell_callers_apart_stalls_the_step_and_leads_nobody_there(
    make_stage, monkeypatch
):
    class Deaf:
        def tells(self, host):
            return Tells(frozenset(), "it knows no headers")

    made = ReconcileRollout.__init__

    def with_a_deaf_gateway(self, *args, **more):
        made(self, *args, **{**more, "audiences": Deaf()})

    monkeypatch.setattr(ReconcileRollout, "__init__", with_a_deaf_gateway)
    stage = make_stage(A_B)
    first = stage.serve_first()
    stage.world.candidate("second")
    assert stage.until(lambda s: s.status.stalled, days=1, step=HOUR)
    assert "beta cannot start" in stage.status.stalled
    assert "it knows no headers" in stage.status.stalled
    assert all(split == Split({first: 100}) for split in told(stage))


@pytest.mark.parametrize("verb", ["approve", "promote"])
def test_what_was_approved_before_the_status_was_lost_is_asked_for_again(make_stage, verb):
    stage = make_stage(BLUE_GREEN)
    stage.serve_first()
    second = stage.world.candidate("second")
    waits = lambda s: s.status.phase.value == "AwaitingApproval"  # noqa: E731
    assert stage.until(waits, days=2, step=HOUR)
    # It was given, and the status was lost before it was obeyed, or after: nobody can tell.
    stage.world.order(verb, second, id="in-git", step="sign-off" if verb == "approve" else "")
    stage.world.wipe()
    stage.loop = stage.make()
    assert stage.until(waits, days=2, step=HOUR)
    assert not stage.until(lambda s: s.status.stable.revision == second, days=3, step=HOUR)
    stage.world.order("approve", second, id="given-again", step="sign-off")
    assert stage.until(lambda s: s.status.stable.revision == second, days=1, step=HOUR)
