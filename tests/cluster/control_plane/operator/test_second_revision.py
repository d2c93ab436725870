"""The second revision: through its steps to promotion, and every way in which a person or the world ends it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.kubernetes.kinds import EVENT

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]


def strategy(**other: object) -> dict[str, object]:
    from tests.cluster.control_plane.operator.scene import QUICK

    return {**QUICK, **other}


def promoted(scene: "Scene", revision: str) -> dict[str, Any]:
    """The Event that tells of a revision's promotion; empty while there is none."""
    told = scene.cluster.list(EVENT, scene.namespace)
    found = [one for one in told if one["reason"] == "Promoted" and revision in one["note"]]
    return dict(found[0]) if found else {}


def test_it_is_shadowed_gets_half_and_is_promoted(scene: "Scene", start_operator: Start) -> None:
    operator = start_operator()
    steps = [
        {"name": "shadow", "shadow": {}, "until": {"minDuration": "6s"}},
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "6s"}},
    ]  # long enough to be seen on a busy machine
    scene.serve_first(strategy=strategy(steps=steps))
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("the candidate is known", lambda: scene.version("candidate") == "2")
    second = scene.revision("candidate")
    scene.until(
        "it gets copies", lambda: scene.split.mirror == second and dict(scene.split.weights) == {first: 100}
    )
    scene.until("it gets half", lambda: dict(scene.split.weights) == {first: 50, second: 50})
    assert scene.is_("Ready")
    scene.until("it gets everything", lambda: dict(scene.split.weights) == {second: 100})
    scene.until("it is stable", lambda: scene.version("stable") == "2")
    scene.until("the first one's server goes", lambda: scene.servers == {"2"})
    scene.until("all is quiet", lambda: scene.phase == "Idle" and not scene.version("previous"))
    kinds = [move["kind"] for move in scene.status["history"]]
    assert kinds[-4:] == ["CandidateTaken", "StepStarted", "StepStarted", "Promoted"]
    assert scene.condition("Progressing")[:2] == ("False", "Idle")
    assert scene.is_("Stalled", "False")
    scene.until("it is told", lambda: promoted(scene, second))
    event = promoted(scene, second)
    assert event["type"] == "Normal"
    assert event["reportingController"] == "trimtab.dev/drift-operator"
    about = event["regarding"]
    assert (about["kind"], about["name"], about["uid"]) == (
        "ModelRollout", "flights", scene.resource["metadata"]["uid"],
    )  # fmt: skip
    assert operator.stop() == 0


def test_an_undo_brings_the_previous_one_back_and_keeps_the_other_out(
    scene: "Scene", start_operator: Start
) -> None:
    start_operator()
    scene.serve_first(strategy=strategy(keepPrevious="1h"))
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("it is promoted", lambda: scene.version("stable") == "2")
    second = scene.revision("stable")
    scene.order("undo", second)
    scene.until("the first one serves again", lambda: dict(scene.split.weights) == {first: 100})
    scene.until("it is stable", lambda: scene.version("stable") == "1")
    scene.until("the second one's server goes", lambda: scene.servers == {"1"})
    assert [one["revision"] for one in scene.status["rejected"]] == [second]
    assert not scene.version("candidate")


def test_one_that_was_aborted_stays_out_until_it_is_retried(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first(
        strategy=strategy(steps=[{"name": "some", "canary": {"percent": 20}, "until": {"minDuration": "1h"}}])
    )
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("it gets its share", lambda: sorted(scene.split.weights.values()) == [20, 80])
    second = scene.revision("candidate")
    scene.order("abort", second)
    scene.until("nothing goes to it", lambda: dict(scene.split.weights) == {first: 100})
    scene.until("its server goes", lambda: scene.servers == {"1"})
    scene.until("it is over", lambda: scene.phase == "Idle")
    assert scene.status["rejected"][0]["because"] == "ann aborted it"
    scene.edit(strategy=strategy())
    scene.order("retry", second)
    scene.until("it is promoted after all", lambda: scene.revision("stable") == second)
    assert not scene.status.get("rejected")


def test_one_that_never_becomes_ready_is_rolled_back(
    scene: "Scene", players: "Players", start_operator: Start
) -> None:
    players.never_ready["2"] = "ImagePullBackOff of container kserve-container"
    start_operator()
    scene.serve_first()
    first = scene.revision("stable")
    scene.edit(strategy=strategy(warmUp={"requests": 2, "timeout": "3s"}))
    scene.wish("2")
    scene.until("it is refused", lambda: scene.status.get("rejected"))
    assert "not ready within 3 s" in scene.status["rejected"][0]["because"]
    scene.until("its server goes", lambda: scene.servers == {"1"})
    assert dict(scene.split.weights) == {first: 100}
    assert scene.is_("Ready")


def test_an_approval_waits_for_a_person(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    steps = [
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1s"}},
        {"name": "word", "approval": {}},
    ]
    scene.serve_first(strategy=strategy(steps=steps))
    scene.wish("2")
    scene.until("a person is asked", lambda: scene.condition("Stalled")[:2] == ("True", "AwaitingApproval"))
    assert sorted(scene.split.weights.values()) == [50, 50]
    scene.order("approve", scene.revision("candidate"), "half")
    scene.until("a word about another step is obeyed by nobody", lambda: scene.quiet)
    assert scene.version("stable") == "1"
    scene.order("approve", scene.revision("candidate"), "word")
    scene.until("it is promoted", lambda: scene.version("stable") == "2")
    assert len(scene.status["acts"]) == 1


def test_a_suspended_rollout_stands_and_goes_on(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    steps = [{"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "12s"}}]
    scene.serve_first(strategy=strategy(steps=steps))
    scene.wish("2")
    scene.until("it gets half", lambda: sorted(scene.split.weights.values()) == [50, 50])
    scene.edit(suspend=True)
    scene.until("it is suspended", lambda: scene.condition("Progressing")[1] == "Suspended")
    elapsed = float(scene.status["step"].get("elapsedS", "0"))
    assert elapsed < 12
    scene.edit(suspend=False)
    scene.until("it goes on to its end", lambda: scene.version("stable") == "2")
