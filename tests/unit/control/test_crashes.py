"""A process killed before or after any single write ends where an unharmed one ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from trimtab.api.rollout import Rollout
from trimtab.ports.runs import RunState

STEP = timedelta(hours=12)
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


def promoted(make_stage, kill_at=-1, after=False, wipe_at=-1):
    """A good candidate, from registration to the end of keepPrevious."""
    stage = make_stage(SHORT)
    first = stage.serve_first()
    stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = kill_at, after, 0
    second = stage.world.candidate("second")
    looks = 0

    def done(stage):
        nonlocal looks
        looks += 1
        if looks == wipe_at:
            stage.world.wipe()
            stage.loop = stage.make()
            stage.tick()
        return first not in stage.world.servers_up

    assert stage.until(done, days=80, step=STEP)
    return stage, second


def refused(make_stage, kill_at=-1, after=False, wipe_at=-1):
    """A bad candidate, from registration until its server is gone."""
    stage = make_stage(SHORT)
    stage.serve_first()
    stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = kill_at, after, 0
    bad = stage.world.candidate("bad", errors=0.2)
    looks = 0

    def done(stage):
        nonlocal looks
        looks += 1
        if looks == wipe_at:
            stage.world.wipe()
            stage.loop = stage.make()
            stage.tick()
        return stage.world.rejected(bad) and stage.settled and bad not in stage.world.servers_up

    assert stage.until(done, days=80, step=STEP)
    return stage, bad


def end(stage):
    """What everybody must agree on in the end."""
    world = stage.world
    return (
        stage.status.stable.revision,
        stage.status.candidate,
        dict(world.split_now.weights),
        world.split_now.mirror,
        sorted(world.servers_up),
        world.aliases["stable"],
        [sorted(version.tags) for version in world.versions],
        world.broken_promises,
    )


@pytest.mark.parametrize("story", [promoted, refused])
def test_killed_before_or_after_any_write_the_end_is_the_same(make_stage, story):
    unharmed, revision = story(make_stage)
    expected, writes = end(unharmed), unharmed.world.kill.writes
    assert writes > 10
    for at in range(writes):
        for after in (False, True):
            stage, again = story(make_stage, at, after)
            assert again == revision
            assert end(stage) == expected, f"killed {'after' if after else 'before'} write {at}"


@pytest.mark.parametrize("story", [promoted, refused])
@pytest.mark.parametrize("look", range(1, 9))
def test_a_status_that_is_lost_at_any_look_leads_to_the_same_end(make_stage, story, look):
    expected = end(story(make_stage)[0])
    assert end(story(make_stage, wipe_at=look)[0]) == expected


def test_an_undo_that_is_killed_anywhere_ends_with_the_previous_revision(make_stage):
    def undone(at, after):
        stage = make_stage(SHORT)
        first = stage.serve_first()
        second = stage.world.candidate("second")
        assert stage.until(lambda s: s.status.stable.revision == second, step=STEP)
        stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = at, after, 0
        stage.world.order("undo", second)
        stage.tick()
        stage.until(lambda s: second not in s.world.servers_up, days=3, step=STEP)
        assert stage.status.stable.revision == first
        assert stage.world.rejected(second)
        assert not stage.world.broken_promises
        return end(stage), stage.world.kill.writes

    expected, writes = undone(-1, False)
    for at in range(writes):
        for after in (False, True):
            assert undone(at, after)[0] == expected


def test_a_retry_survives_a_kill_and_a_lost_status_and_is_obeyed_once(make_stage):
    def retried(at, after):
        stage = make_stage()
        stage.serve_first()
        second = stage.world.candidate("second")
        stage.tick()
        stage.world.order("abort", second, id="a")
        stage.tick()
        stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = at, after, 0
        stage.world.order("retry", second, id="r")
        stage.world.pass_time(timedelta(minutes=2))
        stage.tick()
        assert stage.status.candidate.revision == second
        writes = stage.world.kill.writes
        stage.world.state._db.execute("delete from orders")
        stage.world.order("abort", second, id="b")
        stage.tick()
        stage.world.order("retry", second, id="r")
        stage.world.wipe()
        stage.loop = stage.make()
        stage.until(lambda s: False, days=1)
        assert stage.settled
        assert stage.world.rejected(second)
        return writes

    writes = retried(-1, False)
    for at in range(writes):
        for after in (False, True):
            retried(at, after)


def test_a_run_is_created_once_whatever_is_killed(make_stage):
    def ends(world, key):
        return replace(world.runs_made[key], state=RunState.SUCCEEDED, passed=False, labelled=10**9)

    def story(at, after):
        stage = make_stage(skills=lambda revision, day: 0.05 + 0.004 * (-1) ** day.day, run_makes=ends)
        stage.serve_first()
        stage.world.kill.at, stage.world.kill.after, stage.world.kill.writes = at, after, 0
        stage.until(lambda s: False, days=20, step=STEP)
        assert len(stage.world.runs_made) == 1
        assert len(stage.loop.retrain.status.attempts) == 1
        assert sum(kind == "RunEnded" for kind in stage.world.kinds()) == 1
        return stage.world.kill.writes

    writes = story(-1, False)
    for at in range(writes):
        story(at, True)
        story(at, False)
