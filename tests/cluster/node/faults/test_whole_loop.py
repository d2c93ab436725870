"""The whole loop with real pods: three resources are applied, and nobody does anything from then on.

The operator's time runs 3,600 times as fast: the policy's monthly run comes after two minutes, a day's window closes
every 24 seconds. Everything else is as it is in service: runs are Jobs that train on real flights, an MLflow server
holds the models, KServe serves them, Envoy Gateway splits the traffic, and the collector takes what the model servers
report.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

pytestmark = pytest.mark.xdist_group("node")


def test_a_model_is_trained_served_found_drifted_retrained_and_replaced_with_nobody_at_hand(
    operator: "Node", gateway: "Gateway", namespace: str, tmp_path: Path, record_property: "Note"
) -> None:
    from tests.cluster.node import rehearsing

    operator.load([operator.images.training()])
    with rehearsing.rehearsed(operator, tmp_path, namespace) as rehearsal:
        rehearsing.live(rehearsing.Team(operator, namespace), gateway, rehearsal, tmp_path, record_property)
