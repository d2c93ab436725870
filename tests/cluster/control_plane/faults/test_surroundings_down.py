"""What the operator leans on is away: it waits, says why, and leaves the traffic as it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
NOWHERE = "http://127.0.0.1:9"
HELD = "waits or Unknown with the reason; traffic as it was; goes on afterwards"
LONG = 15


def still(stage: "Stage", looks: int = LONG) -> None:
    """Nothing of the traffic changes meanwhile."""
    weights, mirror = stage.weights, stage.mirrored
    for _ in range(looks):
        stage.look()
        assert (stage.weights, stage.mirrored) == (weights, mirror)


def goes_on(stage: "Stage") -> None:
    stage.until("the second is promoted", lambda: stage.stable == stage.revision("2") and stage.settled)
    assert not stage.broken


def test_the_collector_is_down_in_a_canary(make_stage: "Make", fault: "Row") -> None:
    fault.says("collector down at 50 %", HELD)
    stage = make_stage()
    stage.serve_first()
    stage.wish("2")
    stage.at("Canary", {stage.revision("1"): 50, stage.revision("2"): 50})
    stage.evidence.down = True
    still(stage, 40)
    assert stage.condition("Stalled")[0] == "True" or "collector" in str(stage.status["conditions"])
    stage.evidence.down = False
    goes_on(stage)


def test_prometheus_is_down(make_stage: "Make", fault: "Row") -> None:
    fault.says("Prometheus down at 50 %", HELD)
    check = {
        "name": "load",
        "prometheus": {"providerRef": "prometheus", "query": "load"},
        "atMost": "1",
        "steps": ["half"],
    }
    stage = make_stage(checks=[check], providers={"prometheus": [{"name": "prometheus", "url": NOWHERE}]})
    stage.serve_first()
    stage.wish("2")
    stage.at("Canary", {stage.revision("1"): 50, stage.revision("2"): 50})
    still(stage, 10)
    assert "'prometheus' cannot be asked" in str(stage.status["checks"])
    assert stage.status["phase"] == "Canary"


def test_the_registry_is_down(make_stage: "Make", fault: "Row") -> None:
    from tests.cluster.control_plane.faults.stage import NAME, model

    fault.says("registry down", HELD)
    stage = make_stage(providers={"mlflow": [{"name": "mlflow", "url": NOWHERE}]})
    stage.serve_first()
    stage.spec(model={"registry": {"providerRef": "mlflow", "name": NAME}})
    still(stage, 5)
    assert stage.condition("ModelResolved")[0] == "Unknown" or stage.condition("Ready")[0] == "Unknown"
    assert "127.0.0.1:9" in str(stage.status["conditions"]) or "mlflow" in str(stage.status["conditions"])
    stage.spec(model=model("2"))
    goes_on(stage)


def test_kserve_is_down(make_stage: "Make", fault: "Row") -> None:
    fault.says("KServe's manager down before a candidate starts", HELD)
    stage = make_stage()
    stage.serve_first()
    stage.players.idle = True
    stage.wish("2")
    still(stage, 3)
    stage.players.idle = False
    goes_on(stage)


def test_the_gateway_accepts_nothing(make_stage: "Make", fault: "Row") -> None:
    from trimtab.adapters.gateway_api.route import split_of

    fault.says("gateway does not accept the canary's route", HELD)
    stage = make_stage()
    stage.serve_first()
    stage.wish("2")
    stage.players.refuses = lambda route: len(split_of(route).weights) == 2
    stage.until("the canary", lambda: stage.weights == {stage.revision("1"): 50, stage.revision("2"): 50})
    still(stage, 30)
    assert stage.condition("RouteAccepted")[0] == "False"
    assert stage.condition("Ready")[1] == "RouteNotAccepted"
    stage.players.refuses = lambda route: False
    goes_on(stage)
