"""Conditions of monitors and policies: every reason, where it is the right one."""

from datetime import UTC, datetime, timedelta

import pytest

from trimtab.api.monitor import DriftedColumn, Episode, Monitor, MonitorStatus, SkillSeen
from trimtab.api.retrain import Attempt, Outcome, Retrain, RetrainStatus
from trimtab.control.monitor_conditions import monitor_conditions
from trimtab.retrain import conditions as retrain_conditions

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def episode(cause, closed=False):
    return Episode(
        id=f"{cause}-1",
        cause=cause,
        opened_at=NOW - DAY,
        closed_at=NOW if closed else None,
        revision="r",
        because=f"{cause} is gone",
    )


def monitored(coverage=None, how=None, **status):
    told = monitor_conditions(Monitor(), MonitorStatus(**status), coverage, **(how or {}))
    return {one.type: one for one in told}


def said(one):
    return one.status, one.reason


SEEN = (DriftedColumn(column="a", measure="js", value=0.1, threshold=0.2, drifted=False),)
JUDGED = SkillSeen(blocks=3, rows=900)


@pytest.mark.parametrize(
    ("type_", "status", "expected"),
    [
        ("Ready", {}, ("True", "Watching")),
        ("Ready", {"how": {"trouble": "the collector is down"}}, ("False", "Hindered")),
        ("Ready", {"how": {"idle": "nothing is stable", "trouble": "x"}}, ("False", "NothingServes")),
        ("Drifted", {}, ("Unknown", "NoWindowYet")),
        ("Drifted", {"tripped": (False,), "worst": SEEN}, ("False", "NoEpisode")),
        (
            "Drifted",
            {"tripped": (True,), "episodes": (episode("drift", closed=True),)},
            ("False", "NoEpisode"),
        ),
        ("Drifted", {"episodes": (episode("drift"),)}, ("True", "EpisodeOpen")),
        ("PerformanceDropped", {}, ("Unknown", "NoLabelsYet")),
        ("PerformanceDropped", {"skill": JUDGED}, ("False", "NoEpisode")),
        (
            "PerformanceDropped",
            {"skill": JUDGED, "hindrances": {"Performance": "2 days of skill"}},
            ("Unknown", "NotJudged"),
        ),
        (
            "PerformanceDropped",
            {"skill": JUDGED, "episodes": (episode("performance"),)},
            ("True", "EpisodeOpen"),
        ),
        ("LoggingWired", {}, ("True", "Wired")),
        ("LoggingWired", {"how": {"collector": "it starts"}}, ("False", "CollectorNotReady")),
        ("ReferenceLoaded", {}, ("True", "Loaded")),
        ("ReferenceLoaded", {"how": {"idle": "nothing is stable"}}, ("Unknown", "NothingServes")),
    ],
)
def test_a_monitor_says_what_it_sees(type_, status, expected):
    assert said(monitored(**status)[type_]) == expected


@pytest.mark.parametrize(
    ("coverage", "sufficient"),
    [
        (None, ("Unknown", "NoDenominator")),
        (0.0, ("False", "TooLittle")),
        (0.3, ("False", "TooLittle")),
        (1.0, ("True", "Enough")),
    ],
)
def test_coverage(coverage, sufficient):
    assert said(monitored(coverage)["CoverageSufficient"]) == sufficient


def test_a_reference_that_is_not_loaded_says_why():
    missing = monitored(how={"loaded": False, "trouble": "MLflow is down"})["ReferenceLoaded"]
    assert (said(missing), missing.message) == (("False", "NotRead"), "MLflow is down")


def attempt(outcome=Outcome.FAILED, hours=1):
    return Attempt(
        key="k",
        cause="performance",
        episode="e1",
        arming=1,
        claimed_at=NOW - hours * timedelta(hours=1),
        ended_at=NOW - hours * timedelta(hours=1),
        data_end=NOW,
        outcome=outcome,
        because="skill fell",
    )


CLAIMED = RetrainStatus(claim=attempt(Outcome.RUNNING))
STARTED = RetrainStatus(claim=attempt(Outcome.RUNNING).model_copy(update={"run_id": "run-1"}))
FAILED = RetrainStatus(history=(attempt(hours=3), attempt(hours=2), attempt(hours=1)))


@pytest.mark.parametrize(
    ("type_", "status", "how", "expected"),
    [
        ("Ready", RetrainStatus(), {}, ("True", "Watching")),
        ("Ready", RetrainStatus(), {"suspended": True}, ("False", "Suspended")),
        ("Ready", RetrainStatus(), {"trouble": "KFP is down"}, ("False", "Hindered")),
        ("Ready", RetrainStatus(), {"trouble": "KFP is down", "suspended": True}, ("False", "Hindered")),
        ("Running", RetrainStatus(), {}, ("False", "NothingAsked")),
        ("Running", RetrainStatus(waiting="cools down"), {}, ("False", "Waiting")),
        ("Running", CLAIMED, {}, ("True", "Claimed")),
        ("Running", STARTED, {}, ("True", "Started")),
        ("CircuitOpen", RetrainStatus(), {}, ("False", "Closed")),
        ("CircuitOpen", FAILED, {}, ("True", "RunsFailed")),
        ("CircuitOpen", FAILED.claimed(attempt(Outcome.RUNNING)), {}, ("True", "RunsFailed")),
    ],
)
def test_a_policy_says_how_it_stands(type_, status, how, expected):
    told = {one.type: one for one in retrain_conditions(Retrain(), status, NOW, **how)}
    assert said(told[type_]) == expected


def test_a_policy_that_waits_says_for_what():
    waiting = RetrainStatus(waiting="cools down")
    told = {one.type: one.message for one in retrain_conditions(Retrain(), waiting, NOW)}
    assert told["Running"] == "cools down"
