"""The nouns of the loop: what files may say, and what they are told when they may not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trimtab.api.cron import Cron
from trimtab.api.monitor import Episode, Monitor, MonitorStatus
from trimtab.api.retrain import Attempt, Outcome, Retrain, RetrainStatus
from trimtab.api.rollout import Check, Rollout, Step
from trimtab.api.values import Bound, FileBound, Number, format_duration, parse_duration

T = datetime(2013, 4, 1, tzinfo=UTC)


@given(st.integers(0, 10**8))
def test_a_duration_reads_what_it_writes(seconds):
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length
    assert parse_duration(length) == length


@pytest.mark.parametrize("text", ["", "7", "7 d", "d", "1s1d", "-1d", 7, None, "1w"])
def test_what_is_no_duration_is_told_so(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("value", [True, "x", None, "NaN", "inf", [1]])
def test_what_is_no_number_is_told_so(value):
    with pytest.raises(ValidationError, match="number"):
        TypeAdapter(Number).validate_python(value)


@pytest.mark.parametrize(
    ("written", "resource"),
    [
        (0.02, {"absolute": "0.02"}),
        ("0.02", {"absolute": "0.02"}),
        ("20%", {"percent": "20"}),
        ({"percent": 20}, {"percent": "20"}),
    ],
)
def test_a_bound_has_a_form_for_files_and_one_for_resources(written, resource):
    bound = TypeAdapter(FileBound).validate_python(written)
    assert bound.model_dump(mode="json", exclude_none=True) == resource
    assert TypeAdapter(FileBound).validate_python(bound) == bound
    assert str(bound) == str(written) if isinstance(written, float | str) else "20%"


def test_a_bound_is_one_of_both_and_measures_from_a_level():
    for wrong in ({}, {"absolute": 1, "percent": 1}, {"other": 1}, "x%"):
        with pytest.raises(ValidationError):
            TypeAdapter(FileBound).validate_python(wrong)
    assert Bound(percent=Decimal(20)).around(-50.0) == 10.0
    assert Bound(absolute=Decimal("0.5")).around(-50.0) == 0.5


CHECK = {"name": "loss", "metric": "log_loss", "noWorseThanStableBy": 0.02}
ERRORS = {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02}
SHADOW = {"name": "shadow", "shadow": {}}
CANARY = {"name": "first", "canary": {"percent": 20}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": "auc"}, "not known"),
        ({"atMost": 1}, "exactly one"),
        ({"noWorseThanStableBy": 0}, "above 0"),
        ({"noWorseThanStableBy": "0%"}, "above 0"),
        ({"noWorseThanStableBy": None, "betterThanStableBy": -1}, "0 or more"),
        ({"noWorseThanStableBy": "20%"}, "absolute"),
        ({"noWorseThanStableBy": None, "atMost": 1}, "absolute"),
        ({"block": "row"}, "not independent"),
        ({"block": "request"}, "correlated"),
        ({"metric": "error_rate", "noWorseThanStableBy": "20%"}, "absolute"),
        ({"metric": "error_rate", "block": "1d"}, "by request"),
        ({"metric": "latency_p95", "noWorseThanStableBy": None, "atMost": 1}, "noWorseThanStableBy"),
        ({"metric": "latency_p95"}, "percent"),
        ({"metric": "disagreement"}, "sanity"),
        ({"metric": "disagreement", "noWorseThanStableBy": None, "atMost": 0.5}, "sanity"),
        ({"alpha": {"fail": 0.6}}, "less than"),
        ({"name": "Loss"}, "pattern"),
        ({"typo": 1}, "Extra inputs"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(change, says):
    with pytest.raises(ValidationError, match=says):
        Check.model_validate({key: value for key, value in {**CHECK, **change}.items() if value is not None})


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"name": "a"}, "exactly one"),
        ({**SHADOW, "canary": {"percent": 5}}, "exactly one"),
        ({"name": "a", "approval": {}, "until": {"minDuration": "1d"}}, "until a person"),
        ({"name": "a", "hold": {}}, "minDuration"),
        ({"name": "a", "canary": {"percent": 0}}, "greater than"),
        ({"name": "a", "canary": {"percent": 100}}, "less than"),
        ({**SHADOW, "until": {"minDuration": "2d", "maxDuration": "1d"}}, "shorter"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(step, says):
    with pytest.raises(ValidationError, match=says):
        Step.model_validate(step)


@pytest.mark.parametrize(
    ("rollout", "says"),
    [
        ({"steps": [SHADOW, SHADOW]}, "two steps"),
        ({"steps": []}, "at least 1"),
        ({"steps": [{"name": "a", "hold": {}, "until": {"minDuration": "1d"}}]}, "hold keeps"),
        ({"steps": [SHADOW], "checks": [CHECK, CHECK]}, "two checks"),
        ({"steps": [SHADOW], "checks": [{**CHECK, "steps": ["other"]}]}, "not there"),
        ({"steps": [SHADOW, CANARY], "checks": [{**CHECK, "steps": ["first"]}]}, "cannot be asked"),
    ],
)
def test_a_rollout_that_makes_no_sense_is_refused(rollout, says):
    with pytest.raises(ValidationError, match=says):
        Rollout.model_validate({"checks": [], **rollout})


def test_defaults_stand_and_survive_a_round_trip():
    spec = Rollout()
    assert [step.name for step in spec.steps] == ["shadow", "first", "half"]
    assert Rollout.model_validate_json(spec.model_dump_json(by_alias=True, exclude_none=True)) == spec
    assert (
        Monitor.model_validate_json(Monitor().model_dump_json(by_alias=True, exclude_none=True)) == Monitor()
    )
    assert (
        Retrain.model_validate_json(Retrain().model_dump_json(by_alias=True, exclude_none=True)) == Retrain()
    )
    for model in (Rollout, Monitor, Retrain):
        for mode in ("validation", "serialization"):
            assert model.model_json_schema(by_alias=True, mode=mode)["properties"]


def test_a_check_is_asked_where_it_can_be():
    spec = Rollout.model_validate(
        {
            "steps": [SHADOW, CANARY, {"name": "ask", "approval": {}}],
            "checks": [CHECK, ERRORS, {**ERRORS, "name": "early", "steps": ["shadow"]}],
        }
    )
    shadow, canary, _ = spec.steps
    assert [check.name for check in spec.checks_at(shadow)] == ["loss", "early"]
    assert [check.name for check in spec.checks_at(canary)] == ["errors"]
    assert spec.traffic_step("ask") == canary
    assert spec.traffic_step("nowhere") is None


def test_unstated_alphas_share_five_percent_to_fail():
    spec = Rollout.model_validate(
        {"steps": [SHADOW, CANARY], "checks": [{**CHECK, "alpha": {"fail": 0.01, "pass": 0.1}}, ERRORS]}
    )
    assert spec.alphas(spec.checks[0]) == (0.01, 0.1)
    assert spec.alphas(spec.checks[1]) == (0.05, 0.05)
    assert Rollout().alphas(Rollout().checks[0])[0] == pytest.approx(0.05 / 3)


@pytest.mark.parametrize(
    ("monitor", "says"),
    [
        ({"window": {"length": "30m"}}, "whole hours"),
        ({"window": {"length": "5h"}}, "whole hours"),
        ({"window": {"length": "36h"}}, "whole hours"),
        ({"trip": {"windows": 3, "of": 2}}, "at most"),
        ({"overrides": [{"match": "x"}]}, "either"),
        ({"overrides": [{"match": "x", "ignore": True, "threshold": 1}]}, "either"),
        ({"performance": {"maxDrop": -1}}, "greater than"),
        ({"measures": {"number": "auc"}}, "Input should be"),
    ],
)
def test_a_monitor_that_makes_no_sense_is_refused(monitor, says):
    with pytest.raises(ValidationError, match=says):
        Monitor.model_validate(monitor)


def test_a_monitor_may_say_much():
    written = {
        "window": {"length": "7d"},
        "overrides": [
            {"match": "distance", "measure": "wasserstein", "threshold": 0.25},
            {"match": "*_id", "ignore": True},
        ],
    }
    assert Monitor.model_validate(written).overrides[1].ignore
    assert Monitor.model_validate({"window": {"length": "6h"}}).window.length == timedelta(hours=6)


def test_episodes_are_open_until_closed():
    shut = Episode(id="a", cause="drift", opened_at=T, revision="r", closed_at=T)
    open_ = Episode(id="b", cause="drift", opened_at=T, revision="r")
    assert MonitorStatus(episodes=(shut,)).open_episode("drift") is None
    assert MonitorStatus(episodes=(shut, open_)).open_episode("drift") == open_
    assert MonitorStatus(episodes=(shut, open_)).open_episode("performance") is None


@pytest.mark.parametrize(
    ("retrain", "says"),
    [
        ({"triggers": [{"name": "a"}]}, "exactly one"),
        ({"triggers": [{"name": "a", "drift": {}}, {"name": "a", "drift": {}}]}, "one name"),
        ({"triggers": [{"name": "a", "schedule": {"cron": "0 3 * *"}}]}, "5"),
        ({"triggers": [{"name": "a", "schedule": {"cron": "0 25 * * *"}}]}, "hour"),
        ({"triggers": [{"name": "a", "schedule": {"cron": "0 x * * *"}}]}, "hour"),
        ({"triggers": [{"name": "a", "schedule": {"cron": "*/0 * * * *"}}]}, "minute"),
        ({"triggers": [{"name": "a", "schedule": {"cron": "0 3 * * *", "timeZone": "Mars"}}]}, "time zone"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(retrain, says):
    with pytest.raises(ValidationError, match=says):
        Retrain.model_validate(retrain)


def ran(number=0, episode="e"):
    return Attempt(key=f"k{number}", cause="c", episode=episode, arming=1, claimed_at=T, data_end=T)


def test_the_claim_is_the_attempt_that_runs_and_then_history():
    claimed = RetrainStatus().claimed(ran())
    assert (claimed.claim, claimed.history, claimed.attempts) == (ran(), (), (ran(),))
    over = claimed.changed({"outcome": Outcome.FAILED})
    assert over.claim is None
    assert [one.outcome for one in over.history] == [Outcome.FAILED]
    assert over.claimed(ran(1)).attempts == (*over.history, ran(1))
    assert RetrainStatus.model_validate_json(over.model_dump_json(by_alias=True)) == over


def test_history_is_bounded_and_keeps_what_numbers_the_next_arming_of_an_open_episode():
    status = RetrainStatus()
    for number in range(60):
        status = status.claimed(ran(number, "old" if number < 2 else f"e{number}"))
        status = status.changed({"outcome": Outcome.FAILED}, frozenset({"old"}))
    assert len(status.history) == 20
    assert [one.key for one in status.history[:2]] == ["k1", "k41"]


@pytest.mark.parametrize(
    ("line", "now", "zone", "expected"),
    [
        ("0 3 * * *", "2013-04-01T02:59", "Etc/UTC", "2013-03-31T03:00"),
        ("0 3 * * *", "2013-04-01T03:00", "Etc/UTC", "2013-04-01T03:00"),
        ("*/15 * * * *", "2013-04-01T03:44", "Etc/UTC", "2013-04-01T03:30"),
        ("30 4 1,15 * *", "2013-04-14T00:00", "Etc/UTC", "2013-04-01T04:30"),
        ("0 0 * * 7", "2013-04-03T00:00", "Etc/UTC", "2013-03-31T00:00"),
        ("0 0 13 * 5", "2013-04-12T00:00", "Etc/UTC", "2013-04-12T00:00"),
        ("0 9-17/4 * * *", "2013-04-01T16:00", "Etc/UTC", "2013-04-01T13:00"),
        ("5/20 * * * *", "2013-04-01T16:50", "Etc/UTC", "2013-04-01T16:45"),
        ("0 4 * 6 *", "2013-04-01T00:00", "Etc/UTC", "2012-06-30T04:00"),
        ("0 4 * * *", "2013-07-01T09:00", "America/New_York", "2013-07-01T08:00"),
        ("0 0 29 2 *", "2013-04-01T00:00", "Etc/UTC", "2012-02-29T00:00"),
        ("0 0 31 2 *", "2013-04-01T00:00", "Etc/UTC", None),
    ],
)
def test_cron_fires_when_cron_does(line, now, zone, expected):
    fired = Cron.parse(line).latest(datetime.fromisoformat(now).replace(tzinfo=UTC), zone)
    assert (fired and fired.strftime("%Y-%m-%dT%H:%M")) == expected
