"""A ModelRollout from `apply` to a served revision, by the operator's own process on a real API server."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene

pytestmark = pytest.mark.xdist_group("operator")


def test_a_first_revision_is_served(scene: "Scene", start_operator: "Callable[..., Operator]") -> None:
    operator = start_operator()
    scene.serve_first()
    assert scene.version("stable") == "1"
    assert scene.status["shares"] == {"stable": 100, "candidate": 0, "mirror": 0}
    assert dict(scene.split.weights) == {scene.revision("stable"): 100}
    assert operator.stop() == 0
