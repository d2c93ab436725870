"""Where servers have replicas, and a route takes its time: the same decisions, and nothing before its capacity."""

from dataclasses import replace
from datetime import timedelta

import pytest

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase

HOUR = timedelta(hours=1)
STEP = timedelta(hours=4)
SHORT = Rollout.model_validate(
    {
        "steps": [
            {"name": "shadow", "shadow": {}, "until": {"minDuration": "12h", "maxDuration": "3d"}},
            {
                "name": "first",
                "canary": {"percent": 20},
                "until": {"minDuration": "12h", "maxDuration": "3d"},
            },
            {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "12h", "maxDuration": "3d"}},
        ],
        "checks": [
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02},
            {"name": "sane", "metric": "disagreement", "atMost": 0.5, "require": "NotFailed"},
        ],
        "onInconclusive": "Rollback",
    }
)


def grown(make_stage, replicas=4, spec=SHORT, **world):
    """Stable has replicas of its own accord."""
    stage = make_stage(spec, clustered=True, **world)
    first = stage.serve_first()
    assert stage.until(lambda s: s.status.stable is not None, days=1, step=HOUR)
    scaled_by_load(stage, first, replicas)
    return stage, first


def scaled_by_load(stage, revision, replicas):
    stage.world.by_load[revision] = replicas
    stage.world.give_replicas()


def test_a_candidate_has_its_replicas_before_it_has_its_share(make_stage):
    stage, first = grown(make_stage)
    second = stage.world.candidate("second")
    seen = {}

    def done(stage):
        split = stage.world.split_now
        seen[split.weights.get(second, 0), split.mirror] = stage.world.servers_up.get(second)
        return stage.status.stable.revision == second

    assert stage.until(done, days=30, step=HOUR)
    assert not stage.world.broken_promises
    assert [seen[share].replicas for share in ((0, second), (20, None), (50, None))] == [4, 1, 2]
    assert stage.world.servers_up[second].replicas == 4
    assert stage.world.servers_up[first].least == 4
    assert stage.until(lambda s: first not in s.world.servers_up, days=3, step=HOUR)
    stage.tick()
    assert stage.world.servers_up[second].least == 0


def test_stable_keeps_its_replicas_until_nothing_can_be_undone(make_stage):
    stage, first = grown(make_stage)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 50, days=30, step=HOUR)
    assert stage.world.servers_up[first].least == 4
    server = stage.world.servers_up[first]
    stage.world.servers_up[first] = replace(server, least=1)
    stage.tick()
    assert stage.world.servers_up[first].least == 4
    stage.world.order("abort", second)
    stage.look()
    assert stage.world.weight(second) == 0
    assert stage.until(lambda s: s.world.servers_up[first].least == 0, days=1, step=HOUR)


def test_replicas_that_were_asked_for_are_looked_at_again_at_once(make_stage):
    """Where as many are there already, nothing in the world changes: nobody would wake the rollout."""
    stage, first = grown(make_stage)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 50, days=30, step=HOUR)
    stage.world.pass_time(HOUR)
    assert not stage.look().busy
    stage.world.servers_up[first] = replace(stage.world.servers_up[first], least=1)
    looked = stage.look()
    assert (looked.because, looked.busy) == ("replicas are asked for", "server")
    assert not stage.look().busy


def test_a_route_is_told_once_and_its_step_begins_when_it_is_in_effect(make_stage):
    stage, _ = grown(make_stage, replicas=1)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.split_now.mirror == second, days=1, step=HOUR)
    told = len(stage.world.splits)
    assert stage.status.step.seen_s is None
    for _ in range(3):
        stage.world.clock.by(HOUR)
        stage.tick()
    assert len(stage.world.splits) == told
    assert stage.status.step.elapsed_s == 0.0
    assert stage.status.checks == ()
    stage.world.pass_time(HOUR)
    stage.tick()
    assert stage.status.step.started_at == stage.world.clock.now()


def test_a_promotion_waits_for_its_route(make_stage):
    stage, _ = grown(make_stage, replicas=1)
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 100, days=30, step=HOUR)
    assert stage.status.phase is Phase.PROMOTING
    assert stage.world.aliases["stable"] == "1"
    stage.world.pass_time(HOUR)
    stage.tick()
    assert stage.status.stable.revision == second


@pytest.mark.parametrize("policy", ["Rollback", "Pause"])
def test_capacity_that_never_comes_ends_as_the_policy_says(make_stage, policy):
    spec = SHORT.model_validate({**SHORT.model_dump(by_alias=True), "onInconclusive": policy})
    stage, first = grown(make_stage, spec=spec)
    second = stage.world.candidate("second")
    stage.world.stuck = True
    stage.until(lambda s: False, days=2, step=HOUR)
    assert stage.world.split_now.weights == {first: 100}
    assert stage.world.split_now.mirror is None
    rollout = stage.loop.rollout
    by_type = {one.type: one for one in rollout.conditions(rollout.tick())}
    if policy == "Rollback":
        assert "of 4 replicas" in stage.status.rejected[-1].because
    else:
        assert (by_type["Stalled"].status, by_type["Stalled"].reason) == ("True", "CapacityMissing")
        assert by_type["Ready"].status == "True"
        stage.world.stuck = False
        assert stage.until(lambda s: s.status.stable.revision == second, days=30, step=HOUR)


def story(make_stage, errors=0.0, kill_at=-1, after=False, wipe_at=-1):
    stage, first = grown(make_stage)
    stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = kill_at, after, 0
    second = stage.world.candidate("second", errors=errors)
    looks = 0

    def done(stage):
        nonlocal looks
        looks += 1
        if looks == wipe_at:
            stage.world.wipe()
            stage.loop = stage.make()
            stage.tick()
        other = second if errors else first
        decided = stage.world.rejected(second) or stage.status.stable.revision == second
        settled = decided and stage.settled and other not in stage.world.servers_up
        return settled and all(server.least == 0 for server in stage.world.servers_up.values())

    assert stage.until(done, days=60, step=STEP), stage.status
    world = stage.world
    return (
        stage.status.stable.revision,
        dict(world.split_now.weights),
        world.split_now.mirror,
        sorted((name, server.least) for name, server in world.servers_up.items()),
        world.aliases["stable"],
        stage.status.capacity,
        world.rejected(second),
        world.broken_promises,
    ), world.kill.writes


@pytest.mark.parametrize("errors", [0.0, 0.2])
def test_killed_before_or_after_any_write_the_end_is_the_same(make_stage, errors):
    expected, writes = story(make_stage, errors)
    assert writes > 10
    for at in range(writes):
        for after in (False, True):
            assert story(make_stage, errors, at, after)[0] == expected, f"killed at write {at}"


@pytest.mark.parametrize("errors", [0.0, 0.2])
@pytest.mark.parametrize("look", range(1, 25, 3))
def test_a_status_that_is_lost_at_any_look_leads_to_the_same_end(make_stage, errors, look):
    assert story(make_stage, errors, wipe_at=look)[0] == story(make_stage, errors)[0]
