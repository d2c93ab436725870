"""Checks on a node: what real pods report to the collector's pod under load decides what becomes of a candidate."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.shares import Note, assert_share
from tests.cluster.node.under_load import RATE, answered_by, assert_no_failure, begin, start_load

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")

PERCENT = 30
STEP = {
    "name": "third",
    "canary": {"percent": PERCENT},
    "until": {"minDuration": "90s", "maxDuration": "8m"},
}
"""Long enough for one whole minute that has closed, wherever in a minute it begins."""
SLACK_S = 1.5
"""Between the gateway's acting by a step and our seeing that it does."""
CHECKS: list[dict[str, Any]] = [
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": {"absolute": "0.02"},
        "block": "request",
        "require": "Pass",
    },
    {
        "name": "latency",
        "metric": "latency_p95",
        "noWorseThanStableBy": {"percent": "200"},
        "block": "request",
        "require": "Pass",
    },
]


def test_a_candidate_is_promoted_when_errors_and_latency_of_real_requests_have_passed(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.rollouts import model

    v1 = begin(rollout, models, steps=[STEP], checks=CHECKS)
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the canary", lambda: rollout.flows("third"))
    v2, began = rollout.revision("candidate"), rollout.status["step"]["startedAt"]
    assert rollout.check("errors").get("verdict") != "Pass", "nothing was answered yet"
    rollout.eventually("v2 is stable", lambda: rollout.serves_alone("2"), 420)
    answered_by(load, {v2})
    assert_no_failure(load.stop(), record_property)

    for name in ("errors", "latency"):
        check = rollout.check(name)
        assert check["verdict"] == "Pass", check
        assert check["upper"] is not None
    errors = rollout.check("errors")
    assert float(errors["estimate"]) == 0
    assert_all_of_closed_minutes(errors["rows"], began)
    candidate, stable = (sum(one[at] for one in errors["evidence"]["strata"]) for at in (1, 3))
    assert_share(
        record_property, "errors: judged requests of the candidate", candidate, candidate + stable, PERCENT
    )
    assert {one["revision"] for one in rollout.status["history"] if one["kind"] == "Promoted"} == {v1, v2}


def assert_all_of_closed_minutes(rows: int, began: str) -> None:
    """A verdict rests on every request to the candidate from the step's beginning to the end of a minute."""
    since = datetime.fromisoformat(began)
    first_s = 60 - since.second - since.microsecond / 1e6
    wished = [PERCENT / 100 * RATE * (first_s + 60 * more) for more in range(4)]
    nearest = min(wished, key=lambda each: abs(rows - each))
    assert abs(rows - nearest) <= 0.1 * nearest + SLACK_S * PERCENT / 100 * RATE, (rows, wished)
