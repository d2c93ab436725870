"""A candidate that never comes, crashes, is slow, or answers wrongly is rolled back; stable is as it was."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
CHECKS: list[Mapping[str, Any]] = [
    {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": {"absolute": "0.05"}},
    {
        "name": "latency",
        "metric": "latency_p95",
        "noWorseThanStableBy": {"percent": "20"},
        "require": "NotFailed",
    },
    {"name": "sane", "metric": "disagreement", "atMost": "0.5", "require": "NotFailed"},
]


def never_ready(stage: "Stage", candidate: str) -> None:
    stage.players.away.add(candidate)


def crashes(stage: "Stage", candidate: str) -> None:
    stage.at("Canary", {stage.revision("1"): 50, candidate: 50})
    stage.players.away.add(candidate)


def fails(stage: "Stage", candidate: str) -> None:
    stage.evidence.errors[candidate] = 0.3


def slow(stage: "Stage", candidate: str) -> None:
    stage.evidence.slow[candidate] = 3.0


def wrong(stage: "Stage", candidate: str) -> None:
    in_a_long_shadow(stage)
    stage.evidence.disagrees[candidate] = 0.7


def not_a_number(stage: "Stage", candidate: str) -> None:
    in_a_long_shadow(stage)
    stage.evidence.not_finite.add(candidate)


def in_a_long_shadow(stage: "Stage") -> None:
    """Where answers are paired, for long enough for a minute of them to close."""
    from tests.cluster.control_plane.faults.stage import STRATEGY

    shadow, *rest = STRATEGY["steps"]
    longer = {**shadow, "until": {**shadow["until"], "minDuration": "4m"}}
    stage.spec(strategy={**STRATEGY, "steps": [longer, *rest]})


BECAUSE = {
    never_ready: "not ready within",
    crashes: "not ready for",
    fails: "Fail: errors",
    slow: "Fail: latency",
    wrong: "70% of the predictions fall on the other side of a half",
    not_a_number: "predictions are not finite",
}
"""What a person reads of it."""


@pytest.mark.parametrize("harm", [never_ready, crashes, fails, slow, wrong, not_a_number])
def test_a_bad_candidate_is_rolled_back(
    make_stage: "Make", harm: "Callable[[Stage, str], None]", fault: "Row"
) -> None:
    fault.says(
        f"candidate {harm.__name__.replace('_', ' ')}", "rolled back, stable unhurt, its replicas as before"
    )
    stage = make_stage(checks=CHECKS)
    stage.serve_first()
    before, candidate = stage.servers, stage.revision("2")
    stage.wish("2")
    harm(stage, candidate)
    stage.until("it is refused", lambda: stage.refused(candidate) and stage.settled)
    (refused,) = stage.status["rejected"]
    assert BECAUSE[harm] in refused["because"]
    assert stage.weights == {stage.revision("1"): 100}
    assert stage.servers == before
    assert not stage.broken
    for _ in range(5):
        stage.look()
    assert stage.weights == {stage.revision("1"): 100}
    assert stage.servers == before
