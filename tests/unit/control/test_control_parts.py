"""The parts of control, where the world is odd."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from trimtab.api.rollout import Rollout
from trimtab.control.coverage import Coverage
from trimtab.control.starving import Starving
from trimtab.control.target import Target
from trimtab.drift import learn_profile
from trimtab.ports.evidence import BlockCut
from trimtab.ports.gateway import RouteRefused, Sent
from trimtab.rollout import Routed
from trimtab.sketch import add

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def test_blocks_are_local_days_and_mature_whole():
    target = Target("x", BlockCut(zone="America/New_York"), mature_after=DAY)
    now = datetime(2013, 7, 3, 7, 59, tzinfo=UTC)
    assert target.mature(now) == datetime(2013, 7, 1, 8, tzinfo=UTC)
    assert target.next_mature(now) == datetime(2013, 7, 3, 8, tzinfo=UTC)
    assert target.mature(now + timedelta(minutes=1)) == datetime(2013, 7, 2, 8, tzinfo=UTC)
    spring = target.block_end(datetime(2013, 3, 9, 9, tzinfo=UTC))
    assert spring == datetime(2013, 3, 10, 8, tzinfo=UTC)


def test_an_hour_is_closed_once_its_last_events_can_have_come():
    target = Target("x")
    assert target.closed(datetime(2013, 7, 3, 8, 0, 29, tzinfo=UTC)).hour == 7
    assert target.closed(datetime(2013, 7, 3, 8, 0, 30, tzinfo=UTC)).hour == 8


def test_evidence_may_close_by_the_minute():
    target, now = Target("x", closed_every=timedelta(minutes=1)), datetime(2013, 7, 3, 8, 5, 29, tzinfo=UTC)
    assert target.closed(now) == datetime(2013, 7, 3, 8, 4, tzinfo=UTC)
    assert target.next_closed(now) == datetime(2013, 7, 3, 8, 5, 30, tzinfo=UTC)


def test_a_target_goes_by_one_name_unless_it_is_told_more():
    target = Target("flights", model="Flights", scope="team.flights")
    assert (target.name, target.host, target.served) == ("flights", "flights", "flights")
    assert (target.model, target.scope) == ("Flights", "team.flights")


def sent(requests, failed=0, mirrored=0, mirrored_failed=0, epoch="a"):
    return Sent(epoch, requests, failed, mirrored, mirrored_failed)


CANARY = Routed({"s": 80, "c": 20})


def looking(routed=CANARY):
    watch = Starving()
    return lambda at, s, c, routed=routed: watch.look(
        "s", "c", routed, {name: held for name, held in (("s", s), ("c", c)) if held}, at
    )


def test_a_candidate_starves_while_it_answers_under_half_of_what_it_is_sent():
    look = looking()
    assert look(0.0, sent(0), sent(0)) == 0.0
    assert look(10.0, sent(80), sent(20, failed=15)) == 0.0
    assert look(40.0, sent(90), sent(22, failed=17)) == 0.0
    assert look(70.0, sent(160), sent(42, failed=34)) == 60.0
    assert look(80.0, sent(240), sent(63, failed=34)) == 0.0


def test_one_bad_window_starves_nobody_however_long_ago_it_was():
    look = looking()
    look(0.0, sent(0), sent(0))
    look(10.0, sent(80), sent(20, failed=20))
    assert look(5000.0, sent(90), sent(22, failed=20)) == 0.0


def test_a_candidate_that_gets_nothing_of_its_share_starves_too():
    look = looking()
    look(0.0, sent(0), None)
    look(1.0, sent(300), None)
    assert look(61.0, sent(600), None) == 60.0


def test_an_unlucky_draw_is_no_starvation():
    dice = np.random.default_rng(5)
    for percent in (5, 20, 50):
        look = looking(Routed({"s": 100 - percent, "c": percent}))
        stable = candidate = 0
        for hour in range(24 * 60):
            drawn = int(dice.binomial(15, percent / 100))
            stable, candidate = stable + 15 - drawn, candidate + drawn
            assert look(3600.0 * hour, sent(stable), sent(candidate)) < 60.0


def test_counts_under_another_split_are_left_behind():
    look, shadow = looking(), Routed({"s": 100}, "c", 100)
    look(0.0, sent(0), sent(0), shadow)
    assert look(1.0, sent(1000), sent(0)) == 0.0
    assert look(2.0, sent(1240), sent(60)) == 0.0
    assert look(100.0, sent(1480), sent(120)) == 0.0


def test_where_stable_fails_alike_the_candidate_is_not_blamed():
    look = looking()
    look(0.0, sent(0), sent(0))
    for at in (100.0, 200.0):
        assert look(at, sent(int(at), failed=int(at) - 10), sent(int(at), failed=int(at))) == 0.0


def test_a_gateway_that_restarted_is_counted_anew():
    look = looking()
    look(0.0, sent(500), sent(100))
    assert look(100.0, sent(0, epoch="b"), sent(0, epoch="b")) == 0.0
    assert look(200.0, sent(100, epoch="b"), sent(25, epoch="b")) == 0.0


def test_copies_that_fail_starve_a_shadow():
    look = looking(Routed({"s": 100}, "c", 50))
    look(0.0, sent(0), sent(0))
    look(1.0, sent(100), sent(0, 0, 50, 50))
    assert look(61.0, sent(200), sent(0, 0, 100, 100)) == 60.0


class Counts:
    """A gateway and a collector that say what they are told."""

    def __init__(self, requests=None, events=0, epoch="a"):
        self.requests, self.events, self.epoch = requests, events, epoch

    def sent(self, host):
        return {} if self.requests is None else {"s": sent(self.requests, epoch=self.epoch)}

    def received(self):
        return {"s": self.events}


def test_coverage_is_events_over_requests_since_the_last_look():
    counts = Counts(0)
    coverage = Coverage(counts, counts, "h")
    coverage.begin("s")
    counts.requests, counts.events = 100, 95
    coverage.begin("s")
    assert coverage.share() == 0.95
    assert coverage.share() is None
    counts.requests, counts.events = 200, 250
    assert coverage.share() == 1.0
    counts.epoch = "b"
    counts.requests = 10
    assert coverage.share() is None


def test_without_a_gateways_count_coverage_is_not_known():
    counts = Counts(None)
    coverage = Coverage(counts, counts, "h")
    coverage.begin("s")
    assert coverage.share() is None


# monitor


@pytest.fixture(scope="module")
def profile():
    dice = np.random.default_rng(3)
    times = np.datetime64("2013-01-01T00:00", "us") + np.arange(90 * 1200) * np.timedelta64(72, "s")
    columns = {name: dice.normal(size=len(times)) for name in ("a", "b", "c")}
    return learn_profile(columns, times, reference_skills=[-0.05, -0.051] * 14)


@pytest.mark.parametrize(("shift", "opens"), [(0.0, 0), (1.0, 1)])
def test_drifted_windows_open_one_episode_and_are_told(make_stage, profile, shift, opens):
    dice = np.random.default_rng(4)

    def sketches(start, end):
        rows = int((end - start) / timedelta(seconds=72))
        late = start >= datetime(2013, 4, 8, tzinfo=UTC)
        drawn = {name: dice.normal(shift if late else 0.0, 1.0, rows) for name in profile.columns}
        return {name: add(sketch, drawn[name]) for name, sketch in profile.empty().items()}

    stage = make_stage(
        skills=lambda revision, day: -0.05 + 0.004 * (-1) ** day.day,
        profile_bytes=profile.to_bytes(),
        sketches_of=sketches,
    )
    stage.serve_first()
    stage.until(lambda s: False, days=20, step=6 * HOUR)
    monitor = stage.loop.monitor.status
    assert stage.world.kinds().count("Drifted") == opens
    assert stage.world.kinds().count("WindowJudged") >= 2
    assert bool(monitor.open_episode("drift")) == bool(opens)
    assert monitor.rows > 1000
    assert {column.column for column in monitor.worst} == {"a", "b", "c"}
    # Input drift alone annotates: nothing runs.
    assert stage.world.runs_made == {}


def test_a_profile_without_reference_skills_trips_nothing_and_the_monitor_says_that_it_cannot_judge(
    make_stage,
):
    stage = make_stage(skills=lambda revision, day: 1.0)
    stage.world.profile_bytes = learn_profile({"x": np.arange(1000.0)}).to_bytes()
    stage.serve_first()
    stage.until(lambda s: False, days=20, step=12 * HOUR)
    assert stage.loop.monitor.status.episodes == ()
    assert "holds 0 days of skill, and 2 are needed" in stage.loop.monitor.status.hindrances["Performance"]


def test_a_monitor_that_judges_performance_has_no_condition(make_stage):
    stage = make_stage()
    stage.serve_first()
    stage.until(lambda s: False, days=3, step=12 * HOUR)
    assert stage.loop.monitor.status.skill.blocks > 0
    assert stage.loop.monitor.status.hindrances == {}


def test_a_profile_that_cannot_be_read_is_a_condition_and_stops_no_rollout(make_stage):
    stage = make_stage()
    first = stage.serve_first()
    stage.world.profile_bytes = b"no profile"
    stage.loop = stage.make()
    stage.until(lambda s: False, days=3, step=12 * HOUR)
    assert "Ready" in stage.loop.monitor.status.hindrances
    assert stage.world.weight(first) == 100


# rollout


def test_a_route_that_the_gateway_refuses_is_trouble_and_is_tried_again(make_stage, monkeypatch):
    stage = make_stage()
    first = stage.serve_first()
    second = stage.world.candidate("second")
    gateway = type(stage.world.gateway)

    def refuse(self, host, split):
        raise RouteRefused("no such listener")

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "apply", refuse)
        ticked = stage.tick()
        assert ticked.trouble == "no such listener"
        assert stage.world.weight(first) == 100
    stage.tick()
    assert stage.world.split_now.mirror == second


def test_another_writer_of_the_status_is_noticed_and_decided_upon_anew(make_stage):
    stage = make_stage()
    stage.serve_first()
    other = stage.make()
    second = stage.world.candidate("second")
    other.tick()
    stage.tick()
    assert stage.status.candidate.revision == second
    assert not stage.world.broken_promises


def test_samples_are_counted_where_a_step_asks_for_them(make_stage):
    spec = Rollout.model_validate(
        {
            "steps": [
                {"name": "first", "canary": {"percent": 20}, "until": {"minSamples": 500}},
                {"name": "sign-off", "approval": {}},
            ],
            "checks": [
                {
                    "name": "errors",
                    "metric": "error_rate",
                    "noWorseThanStableBy": 0.02,
                    "require": "NotFailed",
                },
            ],
        }
    )
    stage = make_stage(spec)
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.phase.value == "AwaitingApproval", days=3, step=HOUR)
    started = stage.world.splits[-1][0]
    assert stage.world.clock.now() - started >= timedelta(hours=12)
    stage.until(lambda s: False, days=1, step=HOUR)
    errors = stage.status.checks[0]
    assert errors.units > 900
    stage.world.order("approve", second, step="sign-off")
    stage.tick()
    assert stage.status.stable.revision == second


def test_a_warm_up_that_is_not_answered_gives_no_traffic(make_stage):
    stage = make_stage(warm_answers=False)
    first = stage.world.candidate("first")
    stage.tick()
    assert stage.world.split_now is None
    because = (
        "the candidate is warmed up: answered 0 of 50 warm-up requests; the last met 400: no online store"
    )
    assert stage.look().because == because
    stage.world.warm_answers = True
    stage.tick()
    assert stage.world.weight(first) == 100


def test_the_loop_says_when_to_look_again(make_stage):
    stage = make_stage(skills=lambda revision, day: -0.05)
    stage.serve_first()
    stage.tick()
    assert stage.world.clock.now() < stage.loop.next_wake() <= stage.world.clock.now() + timedelta(minutes=1)
    stage.world.down.add("gateway")
    ticked = stage.tick()
    assert ticked.trouble == "gateway is down"
    assert stage.loop.next_wake() == stage.world.clock.now()


def test_a_run_that_another_policy_made_is_settled_as_skipped(make_stage):
    from trimtab.ports.runs import RunState

    stage = make_stage(
        skills=lambda revision, day: 0.05 + 0.004 * (-1) ** day.day,
        run_makes=lambda world, key: replace(world.runs_made[key], state=RunState.SKIPPED),
    )
    stage.serve_first()
    assert stage.until(lambda s: "RunEnded" in s.world.kinds(), step=6 * HOUR)
    assert stage.loop.retrain.status.attempts[0].outcome.value == "Skipped"


def in_blocks_of(block):
    steps = [{"name": "shadow", "shadow": {}, "until": {"maxDuration": "28d"}}]
    loss = {"name": "loss", "metric": "log_loss", "noWorseThanStableBy": 0.02, "block": block}
    return Rollout.model_validate({"steps": steps, "checks": [loss]})


def test_a_check_is_judged_in_the_blocks_that_it_asks_for(make_stage):
    judged = {}
    for block in ("1h", "1d"):
        stage = make_stage(in_blocks_of(block))
        stage.serve_first()
        stage.world.candidate("second", noise=0.3)
        stage.tick()
        stage.until(lambda s: False, days=4, step=HOUR)
        judged[block] = stage.status.checks[0].units
    assert judged == {"1h": 3 * 24, "1d": 3}


def test_blocks_of_an_hour_mature_by_the_hour():
    (hourly,), (daily,) = (in_blocks_of(block).checks for block in ("1h", "1d"))
    target = Target("x", BlockCut(zone="America/New_York"), mature_after=DAY)
    now = datetime(2013, 7, 3, 7, 59, tzinfo=UTC)
    assert target.cut_for(daily) == target
    assert target.cut_for(hourly).mature(now) == datetime(2013, 7, 2, 7, tzinfo=UTC)
    assert target.cut_for(hourly).next_mature(now) == datetime(2013, 7, 3, 8, tzinfo=UTC)
