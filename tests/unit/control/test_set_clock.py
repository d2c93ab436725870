"""A clock that somebody sets, back or ahead, promotes nothing early and turns nobody away; nothing waits for ever."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.control.stage import SPEC
from tests.unit.control.world import START
from trimtab.api.retrain import Attempt, Outcome, Retrain, RetrainStatus
from trimtab.api.rollout import Rollout
from trimtab.retrain import Observed, OpenEpisode, decide

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
JUMPS = st.integers(-26 * 60, 26 * 60).map(lambda minutes: timedelta(minutes=minutes))
YEARS = st.integers(-800, 800).map(lambda days: days * DAY)
QUICK = Rollout.model_validate(
    {
        "steps": [
            {"name": "shadow", "shadow": {}, "until": {"minDuration": "1d", "maxDuration": "4d"}},
            {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1d", "maxDuration": "4d"}},
        ],
        "onInconclusive": "Rollback",
        "checks": [
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.05},
            {
                "name": "latency",
                "metric": "latency_p95",
                "noWorseThanStableBy": "50%",
                "require": "NotFailed",
            },
        ],
    }
)


def set_in_mid_rollout(stage, jump, at, looks=200, **behaviour):
    """A candidate, and a clock that is set at look `at`; returns the candidate's revision."""
    stage.serve_first()
    second = stage.world.candidate("second", **behaviour)
    for look in range(looks):
        if look == at:
            stage.world.clock.jump(jump)
        stage.world.pass_time(3 * HOUR)
        stage.tick()
        if look > at and stage.settled and len(stage.world.splits) > 1:
            break
    assert stage.settled, (stage.status.step, stage.status.checks)
    assert not stage.world.broken_promises
    return second


@settings(max_examples=12, deadline=None)
@given(jump=st.one_of(JUMPS, YEARS), at=st.integers(0, 20))
@example(jump=-HOUR, at=2)
@example(jump=-HOUR, at=6)
@example(jump=-25 * HOUR, at=12)
@example(jump=HOUR, at=6)
@example(jump=-400 * DAY, at=12)
def test_a_candidate_that_is_no_worse_is_promoted_wherever_the_clock_is_set(make_stage, jump, at):
    stage = make_stage(QUICK)
    second = set_in_mid_rollout(stage, jump, at)
    assert stage.status.stable.revision == second, stage.status.rejected


@settings(max_examples=12, deadline=None)
@given(jump=st.one_of(JUMPS, YEARS), at=st.integers(0, 20), slow=st.booleans())
@example(jump=-HOUR, at=6, slow=False)
@example(jump=-400 * DAY, at=12, slow=False)
@example(jump=-3 * DAY, at=10, slow=True)
@example(jump=-5 * DAY, at=9, slow=True)
def test_a_worse_candidate_is_rejected_wherever_the_clock_is_set(make_stage, jump, at, slow):
    stage = make_stage(QUICK)
    worse = {"slow": 3.0} if slow else {"errors": 0.3}
    second = set_in_mid_rollout(stage, jump, at, **worse)
    assert stage.status.stable.revision != second
    assert "Fail" in stage.status.rejected[-1].because
    assert stage.world.rejected(second)


@pytest.mark.parametrize("jump", [-25 * HOUR, -HOUR, HOUR])
@pytest.mark.parametrize("at", [1, 20, 41, 80])
def test_days_of_labels_are_judged_once_wherever_the_clock_is_set(make_stage, jump, at):
    stage = make_stage(SPEC)
    second = set_in_mid_rollout(stage, jump, at, looks=400)
    assert stage.status.stable.revision == second, stage.status.rejected


@settings(max_examples=25, deadline=None)
@given(jump=st.one_of(JUMPS, YEARS), days=st.integers(0, 9))
@example(jump=-800 * DAY, days=9)
def test_a_monitor_judges_its_next_window_wherever_the_clock_is_set(make_stage, jump, days):
    stage = make_stage()
    stage.serve_first()
    stage.until(lambda s: False, days=days, step=6 * HOUR)
    stage.world.clock.jump(jump)
    stage.tick()
    before = stage.world.kinds().count("WindowJudged")
    stage.until(lambda s: False, days=7 + 3, step=6 * HOUR)
    assert stage.world.kinds().count("WindowJudged") > before


GUARDS = {
    "cooldown": "24h",
    "maxPerDay": 1,
    "rearm": {"newLabelledShare": "0.25", "minInterval": "14d"},
    "circuitBreaker": {"failures": 3, "resetAfter": "24h"},
}
POLICY = Retrain.model_validate({"triggers": [{"name": "worse", "performance": {}}], "guards": GUARDS})


@given(
    outcomes=st.lists(st.sampled_from([Outcome.FAILED, Outcome.REFUSED, Outcome.REJECTED]), max_size=6),
    ahead=st.one_of(JUMPS, YEARS),
)
def test_no_guard_holds_a_run_back_for_longer_than_it_says_wherever_the_clock_is_set(outcomes, ahead):
    at, now = START, START - ahead
    history = tuple(
        Attempt(
            key=str(arming), cause="worse", episode="e", arming=arming + 1, claimed_at=at, data_end=at, ended_at=at,
            outcome=outcome, labelled=100,
        )
        for arming, outcome in enumerate(outcomes)
    )  # fmt: skip
    status = RetrainStatus(since=at, history=history)
    episodes = (OpenEpisode("e", "performance", at),)

    def asked(when):
        nonlocal status
        for _ in range(5):
            decision = decide(
                "p", POLICY, Observed(status, episodes, labelled_since=lambda since: 10**6), when
            )
            status = decision.claim or status
            if decision.waits or decision.start:
                break
        return status.claim is not None

    asked(now)
    assert asked(now + 14 * DAY)
