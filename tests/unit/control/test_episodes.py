"""From a drop of skill to a promoted retrained model, over the ports."""

from dataclasses import replace
from datetime import timedelta

import pytest

from trimtab.api.retrain import Outcome, Retrain
from trimtab.ports.runs import RunState
from trimtab.rollout import revision_id

DAY = timedelta(days=1)


def drops(at_least, on=8):
    """Skill as in the reference until day `on`, then lost; for revisions that the tests call old."""

    def skills(revision, day):
        wave = 0.004 * (-1) ** day.day
        return (
            -0.05
            + wave
            + (at_least if revision == revision_id("first", "flights") and day.day >= on else 0.0)
        )

    return skills


def registers(loss=0.0, **run):
    """A pipeline that ends at once with a registered model."""

    def make(world, key):
        digest = f"retrained-{len(world.versions)}"
        world.candidate(digest, loss=loss)
        version = world.versions[-1].version
        held = world.runs_made[key]
        return replace(held, state=RunState.SUCCEEDED, version=version, passed=True, labelled=9000, **run)

    return make


def refuses(world, key):
    held = world.runs_made[key]
    return replace(held, state=RunState.SUCCEEDED, passed=False, because="log_loss is worse", labelled=9000)


def fails(world, key):
    return replace(world.runs_made[key], state=RunState.FAILED, because="disk full")


def test_a_drop_of_skill_opens_an_episode_runs_the_pipeline_once_and_a_promotion_closes_it(make_stage):
    stage = make_stage(skills=drops(0.06), run_makes=registers(loss=-0.03))
    first = stage.serve_first()
    assert stage.until(lambda s: s.status.stable.revision != first)
    kinds = stage.world.kinds()
    order = ["PerformanceDropped", "RunClaimed", "RunEnded", "CandidateTaken", "StepStarted", "Promoted"]
    assert [kind for kind in kinds if kind in order][-8:] == [
        "PerformanceDropped", "RunClaimed", "RunEnded", "CandidateTaken",
        "StepStarted", "StepStarted", "StepStarted", "Promoted",
    ]  # fmt: skip
    stage.until(lambda s: False, days=1)
    assert all(e.closed_at for e in stage.loop.monitor.status.episodes)
    assert stage.loop.retrain.status.attempts[-1].outcome is Outcome.PROMOTED
    assert len(stage.world.runs_made) == 1
    assert stage.loop.monitor.status.revision == stage.status.stable.revision


def test_no_drop_no_run(make_stage):
    stage = make_stage(skills=drops(0.0), run_makes=registers())
    stage.serve_first()
    stage.until(lambda s: False, days=60, step=timedelta(hours=12))
    assert stage.world.runs_made == {}
    assert "PerformanceDropped" not in stage.world.kinds()


def test_a_refused_run_re_arms_its_episode_after_enough_new_labels(make_stage):
    stage = make_stage(skills=drops(0.06), run_makes=refuses)
    stage.serve_first()
    assert stage.until(lambda s: len(s.world.runs_made) == 2, step=timedelta(hours=6))
    first, second = stage.loop.retrain.status.attempts
    assert first.outcome is Outcome.REFUSED
    assert second.episode == first.episode
    assert (first.arming, second.arming) == (1, 2)
    # 25 % of 9,000 rows come in 3 days, so the shortest interval is what holds.
    assert timedelta(days=14) <= second.claimed_at - first.data_end < timedelta(days=15)


def test_a_failed_run_keeps_to_the_rearm_and_is_told(make_stage):
    stage = make_stage(skills=drops(0.06), run_makes=fails)
    stage.serve_first()
    assert stage.until(lambda s: "RunEnded" in s.world.kinds(), step=timedelta(hours=6))
    assert stage.loop.retrain.status.attempts[0].because == "disk full"
    stage.until(lambda s: False, days=3, step=timedelta(hours=6))
    assert "re-arms" in stage.loop.retrain.status.waiting


def test_a_run_that_died_when_its_model_was_the_candidate_took_effect(make_stage):
    """Between the alias and its last word: a second run of the episode would be one too many."""

    def dies_late(world, key):
        run = registers(loss=-0.03)(world, key)
        world.versions[-1].tags.update(
            {"trimtab.key": key, "trimtab.because": "log_loss 0.4", "trimtab.rows": "70"}
        )
        return replace(run, state=RunState.FAILED, version=None, passed=None, because="evicted", labelled=0)

    stage = make_stage(skills=drops(0.06), run_makes=dies_late)
    first = stage.serve_first()
    assert stage.until(lambda s: s.status.stable.revision != first)
    stage.until(lambda s: False, days=1)
    (attempt,) = stage.loop.retrain.status.attempts
    assert attempt.outcome is Outcome.PROMOTED
    assert (attempt.version, attempt.labelled) == (stage.status.stable.version, 70)
    assert attempt.because == "log_loss 0.4; it died when its model was the candidate: evicted"


def test_a_run_that_died_before_its_model_was_the_candidate_has_failed(make_stage):
    def dies(world, key):
        world.candidate("somebody's")
        world.versions[-1].tags.update({"trimtab.key": "another"})
        return fails(world, key)

    stage = make_stage(skills=drops(0.06), run_makes=dies)
    stage.serve_first()
    assert stage.until(lambda s: "RunEnded" in s.world.kinds(), step=timedelta(hours=6))
    assert stage.loop.retrain.status.attempts[0].outcome is Outcome.FAILED


def test_a_rejected_candidate_re_arms_too(make_stage):
    stage = make_stage(skills=drops(0.06), run_makes=registers(loss=0.09))
    stage.serve_first()
    assert stage.until(lambda s: len(s.world.runs_made) == 2, step=timedelta(hours=6))
    assert stage.loop.retrain.status.attempts[0].outcome is Outcome.REJECTED


def test_a_registry_that_cannot_be_asked_after_a_run_rejects_nothing(make_stage):
    def registers_and_is_gone(world, key):
        run = registers(loss=-0.03)(world, key)
        world.down.add("registry")
        return run

    stage = make_stage(skills=drops(0.06), run_makes=registers_and_is_gone)
    first = stage.serve_first()
    assert stage.until(lambda s: "registry" in s.world.down)
    stage.until(lambda s: False, days=1)
    assert stage.loop.retrain.status.attempts[-1].outcome is Outcome.CANDIDATE
    stage.world.down.clear()
    assert stage.until(lambda s: s.status.stable.revision != first)
    stage.tick()
    assert stage.loop.retrain.status.attempts[-1].outcome is Outcome.PROMOTED


def test_no_run_starts_while_a_rollout_is_undecided(make_stage):
    stage = make_stage(skills=drops(0.06, on=5), run_makes=registers(loss=-0.03))
    stage.serve_first()
    stage.world.candidate("by hand")
    assert stage.until(
        lambda s: any(e.closed_at is None for e in s.loop.monitor.status.episodes), step=timedelta(hours=6)
    )
    assert stage.status.in_flight
    stage.until(lambda s: not s.status.in_flight, step=timedelta(hours=6))
    assert stage.world.runs_made == {}


def test_a_schedule_runs_once_a_period_and_makes_up_for_nothing(make_stage):
    policy = Retrain.model_validate({"triggers": [{"name": "weekly", "schedule": {"cron": "0 3 * * 1"}}]})
    stage = make_stage(retrain=policy, run_makes=refuses)
    stage.serve_first()
    stage.until(lambda s: False, days=22, step=timedelta(hours=6))
    assert len(stage.world.runs_made) == 3


def test_new_data_asks_for_a_run(make_stage):
    policy = Retrain.model_validate({"triggers": [{"name": "data", "newData": {"minRows": 9000}}]})
    stage = make_stage(retrain=policy, run_makes=refuses)
    stage.serve_first()
    stage.until(lambda s: False, days=30, step=timedelta(hours=12))
    assert len(stage.world.runs_made) == 2


@pytest.mark.parametrize("port", ["runs", "evidence", "gateway", "registry"])
def test_what_is_down_is_waited_for(make_stage, port):
    stage = make_stage(skills=drops(0.06), run_makes=registers(loss=-0.03))
    first = stage.serve_first()
    stage.world.down.add(port)
    stage.until(lambda s: False, days=12, step=timedelta(hours=6))
    assert stage.status.stable.revision == first
    stage.world.down.clear()
    assert stage.until(lambda s: s.status.stable.revision != first, step=timedelta(hours=6))
