"""What is ordered through kubectl is done by the operator: the rollout really changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.cluster.control_plane.operator.scene import Scene

    Plugin = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.xdist_group("operator")


def test_promote_undo_and_retry(plugin: "Plugin", scene: "Scene", start_operator: Callable[..., Any]) -> None:
    from tests.cluster.control_plane.operator.scene import QUICK

    def order(verb: str) -> None:
        scene.until("nothing writes it", lambda: scene.quiet)
        done = plugin("rollout", verb, scene.name, "-n", scene.namespace)
        assert done.returncode == 0, done.stderr

    start_operator()
    steps = [{"name": "sign-off", "approval": {}}]
    scene.serve_first(strategy={**QUICK, "steps": steps, "keepPrevious": "1h"})
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("a person is asked", lambda: scene.phase == "AwaitingApproval")
    second = scene.revision("candidate")

    order("promote")
    scene.until("the second is promoted", lambda: scene.revision("stable") == second)
    scene.until("it serves all", lambda: dict(scene.split.weights) == {second: 100})

    order("undo")
    scene.until("the first is back", lambda: scene.revision("stable") == first)
    scene.until("it serves all", lambda: dict(scene.split.weights) == {first: 100})
    assert [one["revision"] for one in scene.status["rejected"]] == [second]
    assert scene.status["rejected"][0]["because"].startswith("admin ")

    order("retry")
    scene.until("the second is tried again", lambda: scene.revision("candidate") == second)
    assert not scene.status.get("rejected")
    scene.until("a person is asked again", lambda: scene.phase == "AwaitingApproval")
    order("approve")
    scene.until("the second is promoted again", lambda: scene.revision("stable") == second)
