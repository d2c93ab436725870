"""What the operator keeps of each resource: series of metrics, and the resource as read. Both go with it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from operators.drift.handlers.parsed import Parsed
from operators.drift.metrics import Metrics
from trimtab.api.resources import ModelRollout
from trimtab.api.retrain import Attempt, Outcome, RetrainStatus
from trimtab.api.rollout_status import CheckStatus, Phase, RevisionRef, RolloutStatus

NOW, HOUR = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1)
STABLE = RevisionRef(revision="s", version="1", uri="s3://m/1", digest="d")


def status(verdict, phase=Phase.CANARY):
    return RolloutStatus(
        phase=phase,
        stable=STABLE,
        traffic={"s": 80},
        checks=(CheckStatus(name="loss", step="x", verdict=verdict),),
    )


def series(metrics, name):
    """Those of the resources of one name."""
    lines = metrics.text().decode().splitlines()
    return {line.split(" ")[0]: Decimal(line.split(" ")[1]) for line in lines if f'name="{name}"' in line}


def test_a_verdict_that_changed_leaves_no_series_and_others_stand():
    metrics = Metrics()
    metrics.rollout("n", "a", status("Inconclusive"), 0)
    metrics.rollout("n", "b", status("Pass"), 0)
    others = series(metrics, "b")
    metrics.rollout("n", "a", status("Fail", Phase.ROLLING_BACK), 0)
    told = series(metrics, "a")
    assert [name for name in told if "verdict=" in name] == [
        'trimtab_check_verdict{check="loss",name="a",namespace="n",verdict="Fail"}'
    ]
    assert [name for name in told if "phase=" in name] == [
        'trimtab_rollout_phase{name="a",namespace="n",phase="RollingBack"}'
    ]
    assert told['trimtab_traffic_percent{name="a",namespace="n",role="stable"}'] == 80
    assert series(metrics, "b") == others


def test_a_resource_that_is_gone_has_no_series_and_may_come_again():
    metrics = Metrics()
    for _ in range(2):
        metrics.rollout("n", "a", status("Pass"), 0)
        assert len(series(metrics, "a")) == 6
        metrics.forget("n", "a", "ModelRollout")
        assert series(metrics, "a") == {}
    metrics.forget("n", "never", "ModelRollout")


def attempt(outcome, ended_at=None):
    return Attempt(
        key=outcome, cause="performance", episode="e", arming=1, claimed_at=NOW, data_end=NOW, outcome=outcome,
        ended_at=ended_at,
    )  # fmt: skip


def test_each_outcome_has_its_series_before_there_is_a_run():
    """A series that begins at 1 is no change to Prometheus, which so would miss a policy's first failure."""
    metrics = Metrics()
    metrics.policy("n", "a", RetrainStatus())
    told = series(metrics, "a")
    assert set(told.values()) == {0}
    outcomes = {outcome.value for outcome in Outcome}
    named = [name.rpartition('outcome="')[2].rstrip('"}') for name in told]
    assert sorted(named) == sorted([*outcomes, *(outcomes - {"Running"})])


def test_a_failure_is_told_by_when_it_was_though_memory_holds_no_more_of_them_than_before():
    metrics, about = Metrics(), 'trimtab_run_ended_timestamp_seconds{name="a",namespace="n",outcome="Failed"}'
    first = [attempt("Failed", NOW), attempt("Refused", NOW + HOUR), attempt("Failed", NOW + 2 * HOUR)]
    metrics.policy("n", "a", RetrainStatus(history=tuple(first)))
    before = series(metrics, "a")
    metrics.policy("n", "a", RetrainStatus(history=(*first[1:], attempt("Failed", NOW + 3 * HOUR))))
    after = series(metrics, "a")
    assert before[about] == Decimal((NOW + 2 * HOUR).timestamp())
    assert after[about] == Decimal((NOW + 3 * HOUR).timestamp())
    count = 'trimtab_runs{name="a",namespace="n",outcome="Failed"}'
    assert before[count] == after[count] == 2


def rollout(version="1", uid="u"):
    serving = {"template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}}
    return {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": "a", "namespace": "n", "uid": uid, "generation": 1},
        "spec": {
            "model": {"uri": "s3://m/1", "version": version},
            "modelName": "a",
            "serviceAccountName": "default",
            "serving": serving,
            "route": {"parentRefs": [{"name": "public"}]},
        },
    }


def test_a_version_of_a_resource_is_read_once():
    parsed, first = Parsed(ModelRollout), rollout()
    assert parsed.of(first) is parsed.of(first)
    assert parsed.of(rollout("2")).spec.model.version == "2"
    parsed.forget("n", "a")
    assert parsed.of(first).spec.model.version == "1"


def test_one_that_cannot_be_read_is_refused_each_time():
    from pydantic import ValidationError

    parsed, wrong = Parsed(ModelRollout), rollout()
    wrong["spec"]["model"] = {}
    for _ in range(2):
        with pytest.raises(ValidationError):
            parsed.of(wrong)
