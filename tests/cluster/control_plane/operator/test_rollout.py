"""A ModelRollout from `apply` to a served revision, by the operator's own process on a real API server."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene

pytestmark = pytest.mark.xdist_group("operator")


def test_a_first_revision_is_served(scene: "Scene", start_operator: "Callable[..., Operator]") -> None:
    operator = start_operator()
    scene.serve_first()
    assert scene.version("stable") == "1"
    assert scene.status["shares"] == {"stable": 100, "candidate": 0, "mirror": 0}
    assert dict(scene.split.weights) == {scene.revision("stable"): 100}
    assert operator.stop() == 0


def test_its_events_hold_for_a_program_what_they_tell_a_person(
    scene: "Scene", start_operator: "Callable[..., Operator]"
) -> None:
    from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
    from trimtab.adapters.kubernetes.state import ResourceState

    start_operator()
    scene.serve_first()
    state = ResourceState(scene.cluster, MODEL_ROLLOUT, scene.namespace, scene.name)
    scene.until("its events come", lambda: "Promoted" in [event.kind for _, event in state.events()])
    told = {event.kind: event for _, event in state.events()}
    move = scene.status["history"][-1]
    promoted = told["Promoted"]
    assert (promoted.revision, promoted.because) == (move["revision"], move["because"])
    assert abs(promoted.at - datetime.fromisoformat(move["at"])) < timedelta(seconds=10)
    assert {event.revision for event in told.values()} == {scene.revision("stable")}
