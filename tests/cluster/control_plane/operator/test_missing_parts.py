"""A rollout on a cluster that lacks a part that it rests on: which, and the line for it; it goes on once that came."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.kubernetes import parts
from trimtab.api.errors import SurroundingsFailed

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("operator")


def test_a_bare_cluster_is_told_part_by_part_and_serves_once_they_are_there(
    own_control_plane: "ControlPlane", start_operator: Callable[..., "Operator"]
) -> None:
    from tests.cluster.control_plane.operator.conftest import REPOSITORY
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.namespaces import fresh

    plane = own_control_plane
    install(plane.cluster, [REPOSITORY / "manifests" / "crds"])
    with fresh(plane.cluster) as namespace:
        scene = Scene(plane.cluster, namespace)
        scene.allow("default")
        here = {"namespaces": [namespace], "lease": {"namespace": namespace}}
        operator = start_operator(here, plane.kubeconfig)
        scene.create()
        scene.until("KServe is missed", lambda: "no kind InferenceService" in scene.condition("Ready")[2])
        assert "KServe is not installed" in scene.condition("Ready")[2]
        assert scene.condition("Ready")[2].endswith(parts.KSERVE)
        scene.until("a person is called", lambda: scene.condition("Stalled")[1] == "Hindered")

        install(plane.cluster, kserve_crds())
        scene.until("KServe is missed no longer", lambda: has_server(scene))

        install(plane.cluster, gateway_api_crds())
        player = Players(plane.cluster, namespace)
        player.start()
        scene.until("it serves", lambda: scene.is_("Ready"))
        assert scene.is_("Stalled", "False")
        assert operator.process.poll() is None
        player.stop()


def has_server(scene: "Scene") -> bool:
    """Whether the rollout has made its InferenceService; the API server answers 429 while it makes room for a kind."""
    with suppress(SurroundingsFailed):
        return len(scene.servers) == 1
    return False
