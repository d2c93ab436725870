"""An operator that came before its kinds, as `kubectl apply` of its Deployment alone brings it: it says what they lack,
where people look; the rollout goes on; and all is well once they are upgraded."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.control_plane.drift_handlers import objects
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR
from trimtab.adapters.kubernetes.parts import KINDS

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("operator")
WITHIN_S = 90.0


def of_the_former_chart(folder: Path) -> Iterable[Path]:
    """Its kinds; ModelRollout without a field besides that the operator writes at each look."""
    from tests.cluster.control_plane.chart.release import former

    crds = former(folder) / "files" / "crds"
    file = crds / "modelrollouts.yaml"
    held = yaml.safe_load(file.read_text())
    del held["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"][
        "shares"
    ]
    file.write_text(yaml.safe_dump(held))
    return [crds]


def test_an_operator_beside_older_kinds_says_which_fields_are_dropped_and_serves_on(
    own_control_plane: "ControlPlane", start_operator: "Callable[..., Operator]", tmp_path: Path
) -> None:
    from tests.cluster.control_plane.operator.conftest import REPOSITORY
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.namespaces import fresh

    plane = own_control_plane
    install(plane.cluster, [*of_the_former_chart(tmp_path), *kserve_crds(), *gateway_api_crds()])
    with fresh(plane.cluster) as namespace:
        scene = Scene(plane.cluster, namespace)
        scene.allow("default")
        player = Players(plane.cluster, namespace)
        player.start()
        here = {"namespaces": [namespace], "lease": {"namespace": namespace}}
        operator = start_operator(here, plane.kubeconfig)
        plane.cluster.create(objects.monitor(namespace))
        scene.serve_first()

        def monitor() -> dict[str, Any]:
            held = plane.cluster.read(DRIFT_MONITOR, namespace, "watch") or {}
            said = held.get("status", {}).get("conditions", [])
            return next((one for one in said if one["type"] == "KindCurrent"), {})

        scene.until(
            "the rollout says it", lambda: scene.condition("KindCurrent")[1] == "FieldsMissing", WITHIN_S
        )
        scene.until("so does the monitor", lambda: monitor().get("status") == "False", WITHIN_S)
        assert "it drops status.shares, and all else goes on" in scene.condition("KindCurrent")[2]
        assert "it drops spec.falseAlarms" in monitor()["message"]
        assert monitor()["message"].endswith(KINDS)
        logged = [line for line in operator.lines() if "older than the operator" in line.get("message", "")]
        assert len(logged) == 2, logged
        scene.wish("2")
        scene.until("version 2 is stable", lambda: scene.version("stable") == "2")
        assert scene.is_("Ready")

        install(plane.cluster, [REPOSITORY / "manifests" / "crds"])
        scene.until("the rollout's kind is whole", lambda: scene.is_("KindCurrent"), WITHIN_S)
        scene.until("so is the monitor's", lambda: monitor()["reason"] == "AsReleased", WITHIN_S)
        scene.until("what was dropped is written", lambda: "shares" in scene.status)
        assert operator.process.poll() is None
        player.stop()


def test_an_operator_beside_its_own_kinds_says_nothing(
    scene: Any, start_operator: "Callable[..., Operator]"
) -> None:
    operator = start_operator()
    scene.serve_first()
    scene.until("it has settled", lambda: scene.quiet)
    assert not [line for line in operator.lines() if "older than the operator" in line.get("message", "")]
    assert scene.condition("KindCurrent")[0] == ""
