"""A rollout that the operator's own process looks after, to be ordered about, stopped, backed up and restored."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.operator.conftest import players, start_operator

if TYPE_CHECKING:
    from tests.cluster.control_plane.daytwo.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

__all__ = ["players", "start_operator"]


@pytest.fixture
def scene(control_plane: "ControlPlane", cluster: "Direct", namespace: str) -> "Scene":
    from tests.cluster.control_plane.daytwo.scene import Scene

    return Scene(cluster, namespace, control_plane.kubeconfig)
