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


def monitored(coverage=None, loaded=True, **status):
    told = monitor_conditions(Monitor(), MonitorStatus(**status), coverage, loaded=loaded)
    return {one.type: one for one in told}


def said(one):
    return one.status, one.reason


SEEN = (DriftedColumn(column="a", measure="js", value=0.1, threshold=0.2, drifted=False),)
JUDGED = SkillSeen(blocks=3, rows=900)


@pytest.mark.parametrize(
    ("type_", "status", "expected"),
    [
        ("Ready", {}, ("True", "Watches")),
        ("Ready", {"hindrances": {"Ready": "the collector is down"}}, ("False", "Unreachable")),
        ("Drifted", {}, ("Unknown", "NoWindow")),
        ("Drifted", {"worst": SEEN}, ("False", "NoEpisode")),
        ("Drifted", {"worst": SEEN, "episodes": (episode("drift", closed=True),)}, ("False", "NoEpisode")),
        ("Drifted", {"episodes": (episode("drift"),)}, ("True", "Episode")),
        ("PerformanceDropped", {}, ("Unknown", "NotJudged")),
        ("PerformanceDropped", {"skill": JUDGED}, ("False", "NoEpisode")),
        (
            "PerformanceDropped",
            {"skill": JUDGED, "hindrances": {"Performance": "2 days of skill"}},
            ("Unknown", "NotJudged"),
        ),
        (
            "PerformanceDropped",
            {"skill": JUDGED, "episodes": (episode("performance"),)},
            ("True", "Episode"),
        ),
    ],
)
def test_a_monitor_says_what_it_sees(type_, status, expected):
    assert said(monitored(**status)[type_]) == expected


@pytest.mark.parametrize(
    ("coverage", "sufficient", "wired"),
    [
        (None, ("Unknown", "NotKnown"), ("Unknown", "NotKnown")),
        (0.0, ("False", "TooLittle"), ("False", "NoEvents")),
        (0.3, ("False", "TooLittle"), ("True", "Events")),
        (1.0, ("True", "Enough"), ("True", "Events")),
    ],
)
def test_coverage_and_logging(coverage, sufficient, wired):
    told = monitored(coverage)
    assert said(told["CoverageSufficient"]) == sufficient
    assert said(told["LoggingWired"]) == wired


def test_a_reference_that_is_not_loaded_says_why():
    assert said(monitored()["ReferenceLoaded"]) == ("True", "Loaded")
    missing = monitored(loaded=False, hindrances={"Ready": "MLflow is down"})["ReferenceLoaded"]
    assert (said(missing), missing.message) == (("False", "Missing"), "MLflow is down")


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


RUNNING = RetrainStatus(claim=attempt(Outcome.RUNNING))
FAILED = RetrainStatus(history=(attempt(hours=3), attempt(hours=2), attempt(hours=1)))


@pytest.mark.parametrize(
    ("type_", "status", "how", "expected"),
    [
        ("Ready", RetrainStatus(), {}, ("True", "Watches")),
        ("Ready", RetrainStatus(), {"suspended": True}, ("False", "Suspended")),
        ("Ready", RetrainStatus(), {"trouble": "KFP is down"}, ("False", "Unreachable")),
        ("Ready", RetrainStatus(), {"trouble": "KFP is down", "suspended": True}, ("False", "Unreachable")),
        ("Running", RetrainStatus(), {}, ("False", "Idle")),
        ("Running", RUNNING, {}, ("True", "Running")),
        ("CircuitOpen", RetrainStatus(), {}, ("False", "Closed")),
        ("CircuitOpen", FAILED, {}, ("True", "RunsFailed")),
    ],
)
def test_a_policy_says_how_it_stands(type_, status, how, expected):
    told = {one.type: one for one in retrain_conditions(Retrain(), status, NOW, **how)}
    assert said(told[type_]) == expected


def test_a_policy_that_waits_says_for_what():
    waiting = RetrainStatus(waiting="cools down")
    told = {one.type: one.message for one in retrain_conditions(Retrain(), waiting, NOW)}
    assert told["Ready"] == "cools down"
