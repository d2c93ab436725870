"""What the operator keeps of each resource: series of metrics, and the resource as read. Both go with it."""

from decimal import Decimal

import pytest

from operators.drift.handlers.parsed import Parsed
from operators.drift.metrics import Metrics
from trimtab.api.resources import ModelRollout
from trimtab.api.rollout_status import CheckStatus, Phase, RevisionRef, RolloutStatus

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
