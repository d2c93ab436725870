"""An alias that flaps every minute for an hour: rollouts come to their end all the same, and traffic stays sane."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.settings import PLAYED
from tests.contract.mlflow.test_server import address as mlflow_address  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = PLAYED[-1:]
MINUTES = 60
VERSIONS = ("1", "2", "3")


def test_an_alias_that_flaps_every_minute(
    make_stage: "Make",
    mlflow_address: str,  # noqa: F811  # the fixture
    fault: "Row",
) -> None:
    from tests.cluster.control_plane.faults.stage import model
    from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry

    fault.says(
        "an alias that flaps every minute, for an hour",
        "each rollout ends; weights sum to 100; stable serves; where it rests is what serves in the end",
    )
    fault.cases(MINUTES)
    registry = MlflowServerRegistry(MlflowServer(mlflow_address))
    stage = make_stage(providers={"mlflow": [{"name": "mlflow", "url": mlflow_address}]})
    for version in VERSIONS:
        made = model(version)
        registry.register(stage.namespace, made["uri"], made["digest"], {})
    registry.set_alias(stage.namespace, "candidate", "1")
    stage.spec(model={"registry": {"providerRef": "mlflow", "name": stage.namespace, "pollEvery": "60s"}})
    stage.serve_first()
    promoted = []
    for minute in range(MINUTES):
        registry.set_alias(stage.namespace, "candidate", VERSIONS[minute % len(VERSIONS)])
        stage.look()
        assert sum(stage.weights.values()) == 100
        assert stage.players.serves(stage.stable)
        if stage.stable != (promoted or [stage.revision("1")])[-1]:
            promoted.append(stage.stable)
    assert len(promoted) >= 3, promoted
    registry.set_alias(stage.namespace, "candidate", "2")
    stage.until("it rests", lambda: stage.stable == stage.revision("2") and stage.settled)
    assert not stage.status.get("rejected")
    assert not stage.broken
