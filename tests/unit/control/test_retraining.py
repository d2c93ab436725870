"""A policy whose engine may make more runs than asked for, and that events from outside ask for runs."""

from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.api.retrain import Retrain
from trimtab.ports.posted import Posted
from trimtab.ports.runs import Run, RunState

HOUR = timedelta(hours=1)
EVENTS = Retrain.model_validate(
    {
        "triggers": [{"name": "upstream", "event": {"type": "com.example.changed"}}],
        "guards": {"cooldown": "1h"},
    }
)


class Engine:
    """Makes two runs more of each key; ends what it is told to end, once it is up."""

    def __init__(self):
        self.beside, self.ended, self.asked = {}, [], 0

    def all(self, key):
        self.asked += 1
        others = self.beside.setdefault(
            key, {f"{key[:8]}-{n}": Run(f"{key[:8]}-{n}", key, RunState.PENDING) for n in (1, 2)}
        )
        return [Run("run-1", key, RunState.RUNNING), *others.values()]

    def end(self, run_id):
        self.ended.append(run_id)
        for held in self.beside.values():
            if run_id in held:
                held[run_id] = replace(held[run_id], state=RunState.FAILED)


class Postbox:
    def __init__(self):
        self.posted = {}
        self.asked = []

    def newest(self, type):
        self.asked.append(type)
        return self.posted.get(type)

    def post(self, id: str, at: datetime, type: str = "com.example.changed"):
        self.posted[type] = Posted(id, type, at)


def posting(make_stage, **world):
    stage = make_stage(retrain=EVENTS, posts=Postbox(), **world)
    stage.serve_first()
    stage.tick()
    stage.world.clock.by(HOUR)
    return stage, stage.world.posts


def refused(world, key):
    return replace(world.runs_made[key], state=RunState.SUCCEEDED, passed=False, because="worse")


def test_an_event_makes_one_run_however_often_it_is_read(make_stage):
    stage, posts = posting(make_stage, run_makes=refused)
    posts.post("1", stage.world.clock.now())
    stage.until(lambda s: False, days=1, step=HOUR)
    assert len(stage.world.runs_made) == 1
    posts.post("2", stage.world.clock.now())
    stage.until(lambda s: False, days=1, step=HOUR)
    assert len(stage.world.runs_made) == 2
    assert [one.episode for one in stage.loop.retrain.status.attempts] == ["upstream@1", "upstream@2"]
    assert set(posts.asked) == {"com.example.changed"}


def test_an_event_from_before_the_policy_and_one_of_another_type_make_none(make_stage):
    stage, posts = posting(make_stage)
    posts.post("0", stage.world.clock.now() - 30 * 24 * HOUR)
    posts.post("1", stage.world.clock.now(), "com.example.other")
    stage.until(lambda s: False, days=1, step=HOUR)
    assert stage.world.runs_made == {}


def test_without_event_triggers_nobody_is_asked_for_posts(make_stage):
    stage = make_stage(posts=Postbox())
    stage.serve_first()
    stage.until(lambda s: False, days=1, step=HOUR)
    assert stage.world.posts.asked == []


def test_runs_beside_the_effective_one_are_ended_and_then_looked_for_no_more(make_stage):
    stage, posts = posting(make_stage, surplus=(engine := Engine()))
    posts.post("1", stage.world.clock.now())
    stage.until(lambda s: bool(s.world.runs_made), days=1, step=HOUR)
    stage.tick()
    assert len(set(engine.ended)) == len(engine.ended) == 2
    assert "run-1" not in engine.ended

    stage.world.run_makes = refused
    stage.until(lambda s: not s.loop.retrain.busy, days=1, step=HOUR)
    stage.tick()
    asked = engine.asked
    stage.until(lambda s: False, days=1, step=HOUR)
    assert engine.asked == asked
    assert stage.loop.retrain.status.attempts[-1].outcome.value == "Refused"


def test_a_run_beside_that_comes_late_is_ended_after_the_effective_one_is_over(make_stage):
    """The engine creates it between our look and the run's end: nobody else would end it."""
    stage, posts = posting(make_stage, surplus=(engine := Engine()), run_makes=refused)
    posts.post("1", stage.world.clock.now())
    stage.until(lambda s: not s.loop.retrain.busy and s.world.runs_made, days=1, step=HOUR)
    stage.tick()
    assert len(engine.ended) == 2
