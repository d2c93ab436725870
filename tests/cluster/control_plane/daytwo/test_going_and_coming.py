"""Deletion, another operator in mid-rollout, backup and restore."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.drift_handlers import objects
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.jobs import JOB
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.api.resources import EPOCH

if TYPE_CHECKING:
    from tests.cluster.control_plane.daytwo.scene import Scene

pytestmark = pytest.mark.xdist_group("daytwo")
OWN = re.compile(r"^    (resourceVersion|uid|generation|creationTimestamp):|^      trimtab.dev/act:")
"""Lines of `kubectl get -o yaml` that belong to one cluster: the page of day two leaves them out."""


ALL = (MODEL_ROLLOUT, DRIFT_MONITOR, RETRAIN_POLICY)


def gone(scene: "Scene") -> bool:
    return scene.cluster.get(MODEL_ROLLOUT, scene.namespace, "flights") is None


def beside(namespace: str) -> Iterator[dict[str, Any]]:
    """The rollout's monitor, and the policy that waits for it."""
    yield objects.monitor(namespace, "flights")
    triggers = [{"name": "worse", "performance": {"monitorRef": "flights"}}]
    yield objects.policy(namespace, "flights", "flights", triggers=triggers)


def wished(scene: "Scene") -> list[Any]:
    """The specs of all three."""
    found = [scene.cluster.get(kind, scene.namespace, "flights") for kind in ALL]
    return [one["spec"] for one in found if one is not None]


def told(scene: "Scene") -> dict[str, list[tuple[str, str, str]]]:
    """The conditions of monitor and policy."""
    found = {kind.kind: scene.cluster.get(kind, scene.namespace, "flights") or {} for kind in ALL[1:]}
    return {
        kind: [
            (one["type"], one["status"], one["reason"]) for one in obj.get("status", {}).get("conditions", [])
        ]
        for kind, obj in found.items()
    }


def test_retain_leaves_stable_and_its_route_without_an_owner_and_a_new_rollout_takes_them_up(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    from tests.cluster.control_plane.daytwo.scene import manifest

    start_operator()
    scene.begin(deletionPolicy="Retain")
    scene.wish("2")
    scene.waits_for_approval("2")
    scene.order("abort", scene.revision("candidate"))
    scene.until("version 1 has all traffic", lambda: scene.weights() == {"1": 100})
    before = scene.route()
    scene.cluster.delete(MODEL_ROLLOUT, scene.namespace, "flights")
    scene.until("the rollout is gone", lambda: gone(scene))
    after = scene.route()
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]
    assert not after["metadata"].get("ownerReferences")
    owned = {
        one["metadata"]["annotations"]["trimtab.dev/version"]: bool(one["metadata"].get("ownerReferences"))
        for one in scene.servers()
    }
    assert owned["1"] is False

    scene.cluster.create(manifest(scene.namespace, "1", deletionPolicy="Retain"))
    scene.until("it serves as before", lambda: scene.condition("Ready") == "True")
    again = scene.route()
    assert again is not None
    assert again["metadata"]["uid"] == after["metadata"]["uid"]
    assert again["spec"] == before["spec"]
    assert [one["uid"] for one in again["metadata"]["ownerReferences"]] == [
        scene.rollout()["metadata"]["uid"]
    ]
    assert scene.weights() == {"1": 100}


def test_delete_leaves_everything_to_the_garbage_collector(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    start_operator()
    scene.begin(deletionPolicy="Delete")
    held = scene.rollout()
    assert not held["metadata"].get("finalizers")
    children = [*scene.servers(), scene.route()]
    assert len(children) == 2
    for child in children:
        assert child is not None
        assert [one["uid"] for one in child["metadata"]["ownerReferences"]] == [held["metadata"]["uid"]]
    scene.cluster.delete(MODEL_ROLLOUT, scene.namespace, "flights")
    assert gone(scene)


def test_another_operator_goes_on_in_mid_rollout(scene: "Scene", start_operator: Callable[..., Any]) -> None:
    """As a rolling update does it: the new replica waits for the lease, the old one gives it back."""
    first = start_operator()
    scene.begin()
    scene.wish("2")
    scene.waits_for_approval("2")
    before, status = scene.route(), scene.status()
    assert before is not None
    epoch = before["metadata"]["annotations"][EPOCH]
    second = start_operator()
    assert first.stop() == 0
    scene.order("approve", scene.revision("candidate"), "sign-off")

    def stamped() -> bool:
        route = scene.route()
        return route is not None and route["metadata"]["annotations"][EPOCH] != epoch

    scene.until("the second operator leads", stamped)
    scene.until("version 2 is stable", lambda: scene.version("stable") == "2")
    scene.until("version 2 has all traffic", lambda: scene.weights() == {"2": 100})
    history = scene.status()["history"]
    assert history[: len(status["history"])] == status["history"]
    assert not scene.status().get("rejected")
    assert second.stop() == 0


def test_a_backup_without_status_restores_the_same_stable_and_nothing_rejected(
    scene: "Scene", start_operator: Callable[..., Any]
) -> None:
    first = start_operator()
    scene.begin()
    for made in beside(scene.namespace):
        scene.cluster.create(made)
    scene.wish("2")
    scene.waits_for_approval("2")
    scene.order("promote", scene.revision("candidate"))
    scene.until("version 2 is stable", lambda: scene.version("stable") == "2")
    scene.wish("3")
    scene.waits_for_approval("3")
    scene.order("abort", scene.revision("candidate"), number="two")
    scene.until("version 3 is rejected", lambda: scene.rejected() == {"3"})
    stable = scene.revision("stable")

    scene.until("its monitor and policy are looked at", lambda: all(told(scene).values()))
    said, specs = told(scene), wished(scene)
    text = scene.kubectl(
        "get", "modelrollouts,driftmonitors,retrainpolicies", "-n", scene.namespace, "-o", "yaml"
    )
    backup = "\n".join(line for line in text.splitlines() if not OWN.match(line))
    assert first.stop() == 0
    scene.merge({"metadata": {"finalizers": None}})
    for kind in (RETRAIN_POLICY, DRIFT_MONITOR, MODEL_ROLLOUT):
        scene.cluster.delete(kind, scene.namespace, "flights")
    for server in scene.servers():
        scene.cluster.delete(INFERENCE_SERVICE, scene.namespace, server["metadata"]["name"])
    scene.cluster.delete(HTTP_ROUTE, scene.namespace, "flights-trimtab")
    scene.until("all is lost", lambda: gone(scene) and not scene.servers() and scene.route() is None)

    scene.kubectl("create", "-f", "-", given=backup)
    assert not scene.status().get("stable")
    assert wished(scene) == specs
    start_operator()
    scene.until("it serves again", lambda: scene.condition("Ready") == "True")
    assert scene.revision("stable") == stable
    assert scene.version("candidate") == ""
    assert scene.weights() == {"2": 100}
    scene.until("its monitor and policy say what they said", lambda: told(scene) == said)
    assert scene.cluster.list(JOB, scene.namespace) == []
    scene.until(
        "nothing but version 2 serves",
        lambda: {one["metadata"]["annotations"]["trimtab.dev/version"] for one in scene.servers()} == {"2"},
    )
