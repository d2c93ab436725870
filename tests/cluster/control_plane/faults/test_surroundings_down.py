"""What the operator leans on is away: it waits, says why, and leaves the traffic as it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.contract.mlflow.test_server import address as mlflow_address  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
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
    from tests.cluster.control_plane.faults.address import Address
    from tests.cluster.control_plane.operator.test_registry import metrics_server

    fault.says("Prometheus down at 50 %", HELD)
    check = {
        "name": "load",
        "prometheus": {"providerRef": "prometheus", "query": "load"},
        "atMost": "1",
        "steps": ["half"],
    }
    with Address() as address, metrics_server() as (port, answers):
        stage = make_stage(
            checks=[check], providers={"prometheus": [{"name": "prometheus", "url": address.url}]}
        )
        stage.serve_first()
        stage.wish("2")
        stage.at("Canary", {stage.revision("1"): 50, stage.revision("2"): 50})
        still(stage, 10)
        assert "'prometheus' cannot be asked" in str(stage.status["checks"])
        assert stage.status["phase"] == "Canary"
        address.comes(port)
        goes_on(stage)
        assert "load" in answers["asked"]


def test_the_registry_is_down(
    make_stage: "Make",
    mlflow_address: str,  # noqa: F811  # the fixture
    fault: "Row",
) -> None:
    from tests.cluster.control_plane.faults.address import Address
    from tests.cluster.control_plane.faults.stage import model
    from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry

    fault.says("registry down", HELD)
    with Address() as address:
        stage = make_stage(providers={"mlflow": [{"name": "mlflow", "url": address.url}]})
        registry, second = MlflowServerRegistry(MlflowServer(mlflow_address)), model("2")
        registry.register(stage.namespace, second["uri"], second["digest"], {})
        registry.set_alias(stage.namespace, "candidate", "1")
        stage.serve_first()
        stage.spec(model={"registry": {"providerRef": "mlflow", "name": stage.namespace}})
        still(stage, 5)
        assert stage.condition("ModelResolved") == ("Unknown", "RegistryUnreachable")
        assert "'mlflow' cannot be asked" in str(stage.status["conditions"])
        port = urlsplit(mlflow_address).port
        assert port
        address.comes(port)
        goes_on(stage)
        assert stage.condition("ModelResolved")[0] == "True"


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
