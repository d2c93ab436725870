"""A rollout that is deleted: what stays by its policy, and a namespace that goes with all that is in it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import FINALIZER

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]


def owners(scene: "Scene") -> dict[str, int]:
    """How many owners each child has, by its version, or `route`."""
    found = {
        one["metadata"]["annotations"]["trimtab.dev/version"]: len(one["metadata"].get("ownerReferences", []))
        for one in scene.cluster.list(INFERENCE_SERVICE, scene.namespace)
    }
    assert scene.route is not None
    return {**found, "route": len(scene.route["metadata"].get("ownerReferences", []))}


def test_retain_leaves_route_and_stable_to_serve(scene: "Scene", start_operator: Start) -> None:
    from tests.cluster.control_plane.operator.scene import QUICK

    start_operator()
    steps = [{"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1h"}}]
    scene.serve_first(strategy={**QUICK, "steps": steps})
    first = scene.revision("stable")
    assert scene.resource["metadata"]["finalizers"] == [FINALIZER]
    scene.wish("2")
    scene.until("the candidate has half", lambda: sorted(scene.split.weights.values()) == [50, 50])
    scene.delete()
    scene.until("it is gone", lambda: scene.gone)
    assert dict(scene.split.weights) == {first: 100}
    # The garbage collector, which a bare API server has not, takes what still has its owner.
    assert owners(scene) == {"1": 0, "2": 1, "route": 0}


def test_delete_leaves_everything_to_the_garbage_collector(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first(deletionPolicy="Delete")
    assert not scene.resource["metadata"].get("finalizers")
    scene.delete()
    scene.until("it is gone", lambda: scene.gone, 5)
    assert owners(scene) == {"1": 1, "route": 1}


def test_a_policy_that_is_changed_changes_what_is_kept(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first()
    scene.edit(deletionPolicy="Delete")
    scene.until("nothing holds it", lambda: not scene.resource["metadata"].get("finalizers"))
    scene.edit(deletionPolicy="Retain")
    scene.until("it is held", lambda: scene.resource["metadata"].get("finalizers") == [FINALIZER])


def test_in_a_namespace_that_goes_nothing_is_kept(scene: "Scene", start_operator: Start) -> None:
    from trimtab.adapters.kubernetes.kinds import NAMESPACE

    start_operator()
    scene.serve_first()
    scene.cluster.delete(NAMESPACE, "", scene.namespace)
    scene.delete()
    scene.until("it is gone", lambda: scene.gone)
    assert owners(scene) == {"1": 1, "route": 1}
