"""Where the gateway, the profiles and the metrics server are not what one machine has."""

from datetime import timedelta

import pytest

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.rollout import Rollout
from trimtab.control.unreached import Unreached
from trimtab.ports.gateway import Mirroring

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def checks(stage):
    return {check.name: check for check in stage.status.checks}


# copies


class Copier:
    """A gateway that learns by so many probes whether it copies requests."""

    def __init__(self, probes=0, supported=True, paired=True, because=""):
        self.left, self.supported, self.paired, self.because = probes, supported, paired, because
        self.probed = []

    def mirroring(self, host):
        if self.left > 0:
            return Mirroring(None, because="not probed yet")
        return Mirroring(self.supported, self.paired, self.because)

    def probe(self, host, stable, candidate):
        self.probed.append((host, stable, candidate))
        self.left -= 1


def asked_in_shadow(make_stage, **world):
    """The usual rollout, whose error rate and latency are asked in the shadow too."""
    spec = make_stage().spec
    everywhere = tuple(step.name for step in spec.steps)
    named = [
        check.model_copy(update={"steps": everywhere}) if check.name in ("errors", "latency") else check
        for check in spec.checks
    ]
    return make_stage(spec.model_copy(update={"checks": tuple(named)}), **world)


def with_copies(make_stage, copier):
    stage = asked_in_shadow(make_stage, mirrors=copier)
    return stage, stage.serve_first(), stage.world.candidate("second")


def test_a_gateway_is_probed_with_both_servers_until_it_is_known_to_copy(make_stage):
    stage, first, second = with_copies(make_stage, copier := Copier(probes=2))
    stage.until(lambda s: s.world.split_now.mirror == second, days=1, step=HOUR)
    assert stage.world.split_now.mirror == second
    assert copier.probed == [("flights", first, second)] * 2
    stage.until(lambda s: False, days=1, step=HOUR)
    assert len(copier.probed) == 2


def test_a_gateway_that_cannot_copy_stalls_the_rollout_and_says_so_once(make_stage):
    stage, first, second = with_copies(make_stage, Copier(1, supported=False, because="no mirror filter"))
    stage.until(lambda s: False, days=1, step=HOUR)
    assert stage.world.split_now.weights == {first: 100}
    assert "no mirror filter" in stage.status.stalled
    assert stage.world.kinds().count("Stalled") == 1
    rollout = stage.loop.rollout
    by_type = {one.type: (one.status, one.reason) for one in rollout.conditions(rollout.tick())}
    assert by_type["Stalled"] == ("True", "MirrorUnsupported")
    assert by_type["MirrorSupported"] == ("False", "Unsupported")
    stage.world.order("abort", second)
    stage.tick()
    assert stage.world.rejected(second)


def test_answers_that_cannot_be_paired_are_not_compared_and_all_else_is(make_stage):
    stage, *_ = with_copies(make_stage, Copier(paired=False, because="each has its own X-Request-Id"))
    stage.until(lambda s: False, days=4, step=HOUR)
    found = checks(stage)
    for name in ("loss", "sane"):
        assert found[name].verdict == "Inconclusive"
        assert found[name].reason == "Unpaired: each has its own X-Request-Id"
        assert found[name].units == 0
    assert found["errors"].units > 0
    assert found["latency"].units > 0


# profiles


def test_a_model_without_a_profile_is_served_and_its_labels_judge_nothing(make_stage):
    stage = asked_in_shadow(make_stage, unprofiled=True)
    first = stage.serve_first()
    assert stage.world.weight(first) == 100
    second = stage.world.candidate("second")
    stage.until(lambda s: False, days=4, step=HOUR)
    assert stage.world.split_now.mirror == second
    found = checks(stage)
    assert (found["loss"].verdict, found["loss"].units) == ("Inconclusive", 0)
    assert "has no profile" in found["loss"].reason
    assert found["errors"].units > 0


def test_a_collector_that_lost_a_profile_is_trouble_and_no_verdict(make_stage, monkeypatch):
    stage = make_stage()
    stage.serve_first()
    stage.world.candidate("second")
    stage.until(lambda s: False, days=1, step=HOUR)
    stage.world.unprofiled = True
    monkeypatch.setattr(type(stage.world), "profile", lambda self, uri: self.profile_bytes)
    stage.world.pass_time(3 * 24 * HOUR)
    looked = stage.loop.rollout.tick()
    assert "has not come" in looked.trouble
    assert "loss" not in checks(stage) or "profile" not in checks(stage)["loss"].reason


# metrics


class Prometheus:
    """Answers what it is told, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def query(self, provider, query):
        self.asked.append((provider, query))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


MEASURED = Rollout.model_validate(
    {
        "steps": [{"name": "first", "canary": {"percent": 20}, "until": {"minDuration": "2d"}}],
        "checks": [
            {
                "name": "queue",
                "prometheus": {"providerRef": "prom", "query": "depth{revision='$candidate',of='$stable'}"},
                "atMost": 10,
                "consecutiveFailures": 3,
            },
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02, "require": "NotFailed"},
        ],
    }
)


def measured(make_stage, metrics):
    stage = make_stage(MEASURED, metrics=metrics)
    first = stage.serve_first()
    second = stage.world.candidate("second")
    stage.tick()
    stage.until(lambda s: s.world.weight(second) == 20, days=1, step=MINUTE)
    return stage, first, second


def test_a_query_is_asked_once_a_minute_with_the_revisions_filled_in(make_stage):
    stage, first, second = measured(make_stage, prometheus := Prometheus(3.0))
    before = len(prometheus.asked)
    for _ in range(4):
        stage.world.clock.by(timedelta(seconds=15))
        stage.tick()
    assert len(prometheus.asked) == before + 1
    assert prometheus.asked[-1] == ("prom", f"depth{{revision='{second}',of='{first}'}}")
    assert (checks(stage)["queue"].verdict, checks(stage)["queue"].estimate) == ("Pass", 3.0)


def test_so_many_answers_out_of_bounds_in_a_row_roll_back(make_stage):
    stage, first, second = measured(make_stage, Prometheus(11.0, 12.0, 3.0, 11.0, 11.0, 11.5))
    stage.until(lambda s: s.world.rejected(second), days=0.05, step=MINUTE)
    assert stage.world.rejected(second)
    assert stage.world.weight(first) == 100
    assert "11.5 is above 10, 3 of 3 in a row" in stage.status.rejected[-1].because


@pytest.mark.parametrize(
    ("metrics", "because"),
    [
        (Prometheus(SurroundingsFailed("prom is down")), "prom is down"),
        (Prometheus(None), "no data"),
        (None, "no metrics server 'prom' here"),
    ],
)
def test_no_answer_says_nothing_of_the_candidate_and_blinds_no_other_check(make_stage, metrics, because):
    stage, _, second = measured(make_stage, metrics)
    stage.until(lambda s: False, days=0.5, step=HOUR)
    queue = checks(stage)["queue"]
    assert (queue.verdict, queue.reason, queue.units) == ("Inconclusive", because, 0)
    assert checks(stage)["errors"].units > 0
    assert stage.world.weight(second) == 20


# endpoints


def test_a_candidate_that_the_gateway_does_not_find_is_rolled_back(make_stage):
    stage, first, second = measured(make_stage, Prometheus(3.0))
    stage.world.empty = frozenset({second})
    stage.loop.rollout.tick()
    stage.world.clock.by(timedelta(seconds=20))
    stage.loop.rollout.tick()
    assert stage.world.weight(second) == 20
    stage.world.clock.by(timedelta(seconds=10))
    stage.loop.rollout.tick()
    assert stage.world.weight(first) == 100
    assert "found no endpoint" in stage.status.rejected[-1].because


def test_a_gateway_that_finds_nobody_blames_nobody(make_stage):
    stage, first, second = measured(make_stage, Prometheus(3.0))
    stage.world.empty = frozenset({first, second})
    for _ in range(6):
        stage.world.clock.by(timedelta(seconds=20))
        stage.loop.rollout.tick()
    assert stage.world.weight(second) == 20


def test_a_look_that_finds_it_sets_the_clock_back():
    unreached = Unreached()
    assert unreached.look("s", "c", {"c"}, 5.0) == 0.0
    assert unreached.look("s", "c", {"c"}, 30.0) == 25.0
    assert unreached.look("s", "c", set(), 31.0) == 0.0
    assert unreached.look("s", "c", {"c"}, 40.0) == 0.0
    assert unreached.look("s", "c", {"c", "s"}, 45.0) == 0.0
    assert unreached.look("s", "d", {"c", "d"}, 50.0) == 0.0
    assert unreached.look("s", "e", {"e"}, 60.0) == 0.0
