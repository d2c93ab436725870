"""When a pipeline runs, and when it must not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trimtab.api.retrain import Attempt, Outcome, Retrain, RetrainStatus
from trimtab.retrain import Fate, Observed, OpenEpisode, PostedEvent, RunSeen, decide, run_key

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EPISODE = OpenEpisode("e1", "performance", NOW - DAY)
SPEC = Retrain.model_validate(
    {
        "triggers": [
            {"name": "performance", "performance": {}},
            {"name": "drift", "drift": {"actOn": "trip"}},
            {"name": "daily", "schedule": {"cron": "0 3 * * *"}},
            {"name": "data", "newData": {"minRows": 5000}},
        ]
    }
)
QUIET = SPEC.model_copy(update={"triggers": SPEC.triggers[:2]})


def attempt(outcome=Outcome.REFUSED, age=20 * DAY, **more):
    fields = {
        "key": "k",
        "cause": "performance",
        "episode": "e1",
        "arming": 1,
        "claimed_at": NOW - age,
        "data_end": NOW - age,
        "outcome": outcome,
        "labelled": 1000,
    }
    return Attempt.model_validate({**fields, **more})


def seen(*attempts, episodes=(EPISODE,), labels=10**6, since=NOW - 99 * DAY, **more):
    *before, last = attempts or (None,)
    running = last is not None and last.outcome is Outcome.RUNNING
    status = RetrainStatus(
        since=since, claim=last if running else None, history=tuple(before) if running else attempts
    )
    return Observed(status, episodes=episodes, labelled_since=lambda _: labels, **more)


def ask(world, spec=QUIET):
    return decide("flights", spec, world, NOW)


def test_the_first_look_is_written_down():
    assert ask(seen(since=None)).claim.since == NOW


def test_an_episode_claims_one_run_before_it_is_started():
    decision = ask(seen())
    claimed = decision.claim.attempts[-1]
    assert decision.start is None
    assert claimed.key == run_key("flights", "e1", 1)
    assert claimed.data_end == NOW
    start = ask(replace(seen(), status=decision.claim)).start
    assert (start.key, start.parameters) == (claimed.key, {"until": NOW.isoformat()})


def test_drift_alone_annotates_unless_a_trigger_says_so():
    drifted = seen(episodes=(OpenEpisode("d1", "drift", NOW),))
    assert ask(drifted).claim.attempts[-1].cause == "drift"
    only = QUIET.model_copy(update={"triggers": QUIET.triggers[:1]})
    assert ask(drifted, only).waits


def test_nothing_asks():
    assert ask(seen(episodes=())).because == "nothing asks for a run"


def test_a_run_under_way_is_waited_for():
    assert ask(seen(attempt(Outcome.RUNNING), run=RunSeen("r", ended=False))).because == "a run is on its way"


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (RunSeen("r", True, passed=True, version="7"), Outcome.CANDIDATE),
        (RunSeen("r", True, passed=None, version="7"), Outcome.CANDIDATE),
        (RunSeen("r", True, passed=False, because="worse"), Outcome.REFUSED),
        (RunSeen("r", True, passed=True), Outcome.REFUSED),
        (RunSeen("r", True, failed=True), Outcome.FAILED),
        (RunSeen("r", True, skipped=True), Outcome.SKIPPED),
    ],
)
def test_a_run_that_is_over_is_settled(run, outcome):
    settled = ask(seen(attempt(Outcome.RUNNING), run=run)).claim.attempts[-1]
    assert settled.outcome is outcome
    assert settled.ended_at == NOW
    assert settled.labelled == 1000
    end = NOW - timedelta(hours=3)
    told = replace(run, labelled=77, data_end=end)
    settled = ask(seen(attempt(Outcome.RUNNING), run=told)).claim.attempts[-1]
    assert (settled.labelled, settled.data_end) == (77, end)


@pytest.mark.parametrize(("fate", "outcome"), [(Fate.PROMOTED, "Promoted"), (Fate.REJECTED, "Rejected")])
def test_a_candidate_is_settled_by_its_rollout(fate, outcome):
    assert ask(seen(attempt(Outcome.CANDIDATE), fate=fate)).claim.attempts[-1].outcome == outcome


def held(world, spec=QUIET):
    decision = ask(world, spec)
    assert decision.waits
    assert ask(replace(world, status=decision.claim), spec).claim is None
    return decision.claim.waiting


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (seen(suspended=True), "suspended"),
        (seen(undecided=True), "undecided"),
        (seen(attempt(Outcome.CANDIDATE)), "undecided"),
        (seen(attempt(age=timedelta(hours=23), episode="e0")), "cools down"),
        (seen(attempt(age=timedelta(hours=23), ended_at=NOW, episode="e0")), "cools down"),
        (seen(attempt(age=13 * DAY)), "re-arms on"),
        (seen(attempt(), labels=249), "249 new labels of 250"),
    ],
)
def test_what_holds_a_run_back_says_why(world, says):
    assert says in held(world)


def test_enough_new_labels_re_arm_with_the_next_number():
    claimed = ask(seen(attempt(), labels=250)).claim.attempts[-1]
    assert (claimed.episode, claimed.arming) == ("e1", 2)
    assert claimed.key == run_key("flights", "e1", 2)


def test_an_episode_whose_run_was_promoted_asks_no_more():
    assert ask(seen(attempt(Outcome.PROMOTED))).because == "nothing asks for a run"


def test_three_failures_open_the_circuit_for_a_day():
    fails = [attempt(Outcome.FAILED, age=n * DAY, episode="e0") for n in (3, 2, 1)]
    recent = [*fails[:2], attempt(Outcome.FAILED, age=DAY, ended_at=NOW - timedelta(hours=1), episode="e0")]
    assert "failed in a row" in held(seen(*recent))
    assert ask(seen(*fails)).claim.attempts[-1].episode == "e1"
    mixed = [*recent[:2], attempt(Outcome.REFUSED, age=DAY, episode="e0")]
    assert ask(seen(*mixed)).claim.attempts[-1].episode == "e1"


def test_a_day_has_so_many_runs():
    spec = QUIET.model_copy(
        update={"guards": QUIET.guards.model_copy(update={"cooldown": timedelta(), "max_per_day": 2})}
    )
    runs = [attempt(age=timedelta(hours=h), episode="e0") for h in (5, 3)]
    assert "2 runs within a day" in held(seen(*runs), spec)
    assert ask(seen(runs[0]), spec).claim.attempts[-1].episode == "e1"


def test_a_schedule_asks_once_a_time_and_makes_up_for_nothing():
    spec = SPEC.model_copy(update={"triggers": SPEC.triggers[2:3]})
    claimed = ask(seen(episodes=()), spec).claim.attempts[-1]
    assert claimed.episode == "daily@2013-06-01T03:00:00+00:00"
    assert ask(seen(attempt(episode=claimed.episode, age=2 * DAY), episodes=()), spec).waits
    assert ask(seen(episodes=(), since=NOW - timedelta(hours=1)), spec).claim is None


def test_new_data_asks_once_there_is_enough():
    spec = SPEC.model_copy(update={"triggers": SPEC.triggers[3:]})
    assert ask(seen(episodes=(), labels=5000), spec).claim.attempts[-1].cause == "data"
    assert ask(seen(attempt(), episodes=(), labels=4999), spec).waits


def test_of_two_that_ask_the_one_that_may_is_served():
    both = seen(attempt(age=2 * DAY), episodes=(EPISODE, OpenEpisode("d1", "drift", NOW)))
    assert ask(both).claim.attempts[-1].episode == "d1"


# events


EVENTS = Retrain.model_validate(
    {"triggers": [{"name": "upstream", "event": {"type": "com.example.changed"}}]}
)


def posted(id="1", age=DAY, type="com.example.changed"):
    return (PostedEvent(id, type, NOW - age),)


def test_an_event_asks_for_one_run():
    claimed = ask(seen(episodes=(), posted=posted()), EVENTS).claim.claim
    assert (claimed.episode, claimed.arming, claimed.cause) == ("upstream@1", 1, "upstream")
    assert ask(seen(attempt(episode="upstream@1"), episodes=(), posted=posted()), EVENTS).waits
    assert ask(seen(attempt(episode="upstream@1"), episodes=(), posted=posted("2")), EVENTS).claim.claim


def test_events_of_other_types_or_from_before_the_policy_ask_for_nothing():
    assert ask(seen(episodes=(), posted=posted(type="com.example.other")), EVENTS).claim is None
    assert ask(seen(episodes=(), posted=posted(age=99 * DAY)), EVENTS).claim is None


def test_an_event_whose_run_is_forgotten_asks_for_no_other():
    later = [attempt(age=40 * DAY - k * DAY, key=f"k{k}", episode=f"e{k}") for k in range(20)]
    assert ask(seen(*later, episodes=(), posted=posted(age=41 * DAY)), EVENTS).claim is None


# surplus


def test_runs_beside_the_effective_one_are_ended_whatever_else_there_is_to_do():
    running = seen(attempt(Outcome.RUNNING), run=RunSeen("r1", ended=False), surplus=("r2", "r3"))
    assert ask(running).end == ("r2", "r3")
    assert ask(seen(attempt(Outcome.REFUSED), surplus=("r2",))).end == ("r2",)
