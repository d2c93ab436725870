"""People meddle: edits are put back, what is lost is made again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
MINE, THEIRS = "example.com/mine", "another tool wrote this"


def in_canary(stage: "Stage") -> None:
    stage.serve_first()
    stage.wish("2")
    stage.at("Canary", {stage.revision("1"): 50, stage.revision("2"): 50})


def edited(stage: "Stage", weights: tuple[int, int]) -> None:
    """Somebody turns the weights, and notes something of their own."""
    held = stage.route
    assert held is not None
    notes = {**held["metadata"]["annotations"], MINE: THEIRS}
    rules = [
        {
            **rule,
            "backendRefs": [
                {**ref, "weight": w} for ref, w in zip(rule["backendRefs"], weights, strict=False)
            ],
        }
        for rule in held["spec"]["rules"]
    ]
    metadata = {**held["metadata"], "annotations": notes}
    stage.machine.cluster.replace({**held, "metadata": metadata, "spec": {**held["spec"], "rules": rules}})


def test_an_edited_route_is_put_back(make_stage: "Make", fault: "Row") -> None:
    fault.says("somebody edits our route", "put back, reported; their annotations stay")
    stage = make_stage()
    in_canary(stage)
    edited(stage, (5, 95))
    assert stage.weights[stage.revision("2")] in (5, 95)
    stage.look()
    assert stage.weights == {stage.revision("1"): 50, stage.revision("2"): 50}
    assert stage.condition("RouteEdited")[0] == "True"
    assert stage.route is not None
    assert stage.route["metadata"]["annotations"][MINE] == THEIRS
    stage.until("it is promoted", lambda: stage.stable == stage.revision("2") and stage.settled)
    assert stage.route["metadata"]["annotations"][MINE] == THEIRS


def test_a_deleted_route_is_made_again(make_stage: "Make", fault: "Row") -> None:
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE

    fault.says("somebody deletes our route", "made again; the rollout ends well")
    stage = make_stage()
    in_canary(stage)
    stage.machine.cluster.delete(HTTP_ROUTE, stage.namespace, "flights-trimtab")
    assert stage.route is None
    stage.look()
    assert stage.weights.get(stage.revision("1"), 0) >= 50
    stage.until("it has ended", lambda: stage.settled)
    assert not stage.broken


def test_a_deleted_candidate_gets_nothing(make_stage: "Make", fault: "Row") -> None:
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

    fault.says(
        "somebody deletes the candidate at 50 %",
        "no weight on what is not there, stable as before; made again",
    )
    stage = make_stage()
    in_canary(stage)
    before = {name: bounds for name, bounds in stage.servers.items() if stage.revision("1") in name}
    stage.machine.cluster.delete(INFERENCE_SERVICE, stage.namespace, f"flights-{stage.revision('2')}")
    stage.players.play()
    stage.look()
    assert stage.weights == {stage.revision("1"): 100} or stage.players.serves(stage.revision("2"))
    assert {name: bounds for name, bounds in stage.servers.items() if stage.revision("1") in name} == before
    stage.until(
        "it is made again, and promoted", lambda: stage.stable == stage.revision("2") and stage.settled
    )
    assert not stage.broken


def test_a_namespace_that_goes_is_let_go(make_stage: "Make", fault: "Row") -> None:
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
    from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT, NAMESPACE

    fault.says("somebody deletes the namespace at 50 %", "nothing is made in it again, nothing hangs")
    stage = make_stage()
    in_canary(stage)
    cluster = stage.machine.cluster
    cluster.delete(NAMESPACE, "", stage.namespace)
    cluster.delete(HTTP_ROUTE, stage.namespace, "flights-trimtab")
    stage.look()
    assert cluster.read(HTTP_ROUTE, stage.namespace, "flights-trimtab") is None
    for name in stage.servers:
        cluster.delete(INFERENCE_SERVICE, stage.namespace, name)
    stage.look()
    assert not stage.servers
    cluster.delete(MODEL_ROLLOUT, stage.namespace, "flights")
    assert stage.handler.look(stage.namespace, "flights") is None
