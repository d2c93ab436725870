"""Orders are obeyed once; a pause holds progress, never what protects users."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.ports.state import Conflict

if TYPE_CHECKING:
    from tests.cluster.control_plane.daytwo.scene import Scene

pytestmark = pytest.mark.xdist_group("daytwo")


def test_an_order_is_obeyed_once_whatever_becomes_of_the_status(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    operator = start_operator()
    scene.begin()
    scene.wish("2")
    scene.waits_for_approval("2")
    assert scene.weights() == {"1": 90, "2": 10}
    approved = scene.revision("candidate")
    scene.order("approve", approved, "sign-off")
    scene.until("version 2 is stable", lambda: scene.version("stable") == "2")
    scene.until("version 2 has all traffic", lambda: scene.weights() == {"2": 100})
    assert "one" in scene.status()["acts"]

    # The same text once more, as from Git: it names a revision that is no candidate.
    scene.order("approve", approved, "sign-off")
    scene.wish("3")
    scene.waits_for_approval("3")
    third = scene.revision("candidate")
    scene.order("abort", third, number="two")
    scene.until("version 3 is rejected", lambda: scene.rejected() == {"3"})
    scene.until("version 2 has all traffic again", lambda: scene.weights() == {"2": 100})

    # An order that has been obeyed is not obeyed again, though it would fit once more.
    scene.order("retry", third, number="three")
    scene.waits_for_approval("3")
    scene.order("abort", third, number="two", spec={"strategy": {"keepPrevious": "2h"}})
    scene.observed()
    assert scene.version("candidate") == "3"
    assert scene.weights() == {"2": 90, "3": 10}
    scene.order("abort", third, number="four")
    scene.until("version 3 is rejected again", lambda: scene.rejected() == {"3"})
    scene.until("version 2 has all traffic again", lambda: scene.weights() == {"2": 100})

    # The status is lost while both the spec and the order still name version 3.
    scene.forget()
    assert scene.version("stable") == "2"
    assert scene.version("candidate") == ""
    assert scene.weights() == {"2": 100}
    assert operator.stop() == 0


def test_an_undo_that_stands_in_git_is_not_repeated_after_the_status_is_lost(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    start_operator()
    scene.begin()
    scene.wish("2")
    scene.waits_for_approval("2")
    scene.order("promote", scene.revision("candidate"))
    scene.until(
        "version 2 is stable", lambda: scene.version("stable") == "2" and scene.version("previous") == "1"
    )
    scene.order("undo", scene.revision("stable"), number="two")
    scene.until("version 1 is back", lambda: scene.version("stable") == "1")
    scene.until("version 1 has all traffic", lambda: scene.weights() == {"1": 100})
    scene.forget()
    assert scene.version("stable") == "1"
    assert scene.version("candidate") == ""
    assert scene.weights() == {"1": 100}


def test_a_suspended_rollout_does_not_proceed_yet_protects(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    start_operator()
    scene.begin()
    scene.wish("2")
    scene.waits_for_approval("2")
    candidate = scene.revision("candidate")
    scene.order("approve", candidate, "sign-off", spec={"suspend": True})
    scene.observed()
    assert scene.status()["phase"] == "AwaitingApproval"
    assert scene.weights() == {"1": 90, "2": 10}

    def edited() -> bool:
        route = scene.route()
        assert route is not None
        rule = route["spec"]["rules"][0]
        rule["backendRefs"][0]["weight"] = 1
        with suppress(Conflict):
            scene.cluster.replace(route)
            return True
        return False

    scene.until("the route is edited", edited)
    scene.until("the route is put back", lambda: scene.weights() == {"1": 90, "2": 10})
    scene.fails(candidate)
    scene.until("the broken candidate has no traffic", lambda: scene.weights() == {"1": 100})
    scene.until("it is rejected", lambda: scene.rejected() == {"2"})
    assert scene.rollout()["spec"]["suspend"] is True
    assert scene.condition("Ready") == "True"
