"""What is wrong, missing or odd around a rollout is said on it, and forgotten once it is right."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.direct import Direct

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]


def test_an_account_that_may_nothing_is_told_and_serves_once_it_may(
    scene: "Scene", start_operator: Start
) -> None:
    start_operator()
    scene.create(serviceAccountName="nobody")
    scene.until("it is told", lambda: "nobody" in scene.condition("Ready")[2])
    assert scene.condition("Ready")[0] == "False"
    assert "cannot create resource" in scene.condition("Ready")[2]
    assert scene.servers == set()
    scene.allow("nobody")
    scene.until("it serves", lambda: scene.is_("Ready"))


def test_a_gateway_that_refuses_is_told_and_serves_once_it_accepts(
    scene: "Scene", players: "Players", start_operator: Start
) -> None:
    players.refuses = "no listener takes this host"
    start_operator()
    scene.create()
    scene.until("it is told", lambda: scene.is_("RouteAccepted", "False"))
    assert scene.condition("RouteAccepted")[2] == "no listener takes this host"
    assert not scene.is_("Ready")
    players.refuses = ""
    scene.until("it serves", lambda: scene.is_("Ready") and scene.is_("RouteAccepted"))


def test_a_provider_that_nobody_configured_is_told(scene: "Scene", start_operator: Start) -> None:
    operator = start_operator()
    scene.create(model={"registry": {"providerRef": "elsewhere", "name": "flights"}})
    scene.until("it is told", lambda: scene.condition("Stalled")[1] == "ProviderUnknown")
    assert "no mlflow provider 'elsewhere'" in scene.condition("Stalled")[2]
    assert scene.is_("Ready", "False")
    operator.stop()
    # Nobody answers there: that is told otherwise, and of nobody who serves already.
    start_operator({"providers": {"mlflow": [{"name": "elsewhere", "url": "http://127.0.0.1:9"}]}})
    scene.until("it is asked", lambda: scene.condition("ModelResolved")[1] == "RegistryUnreachable")
    assert scene.is_("Ready", "False")


def test_a_garbage_status_is_rebuilt_and_its_rollout_goes_on(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first()
    first = scene.revision("stable")
    garbage = {"status": {"phase": "Dancing", "stable": None, "history": None}}
    scene.cluster.merge(MODEL_ROLLOUT, scene.namespace, scene.name, garbage, status=True)
    scene.until("it is rebuilt", lambda: scene.phase == "Idle" and scene.revision("stable") == first)
    assert dict(scene.split.weights) == {first: 100}
    scene.wish("2")
    scene.until("the next one is promoted", lambda: scene.version("stable") == "2")


def test_an_order_that_is_none_is_told_and_does_no_harm(scene: "Scene", start_operator: Start) -> None:
    from trimtab.api.resources import ACT

    start_operator()
    scene.serve_first()
    scene.annotate(ACT, '{"verb": "undo everything"')
    scene.until("it is told", lambda: scene.condition("Stalled")[1] == "OrderUnreadable")
    assert scene.is_("Ready")
    scene.order("abort", "0" * 8)
    scene.until("it is forgotten", lambda: scene.is_("Stalled", "False"))


def test_a_name_at_its_limit_and_words_of_any_script(
    cluster: "Direct", namespace: str, players: "Players", start_operator: Start
) -> None:
    from tests.cluster.control_plane.operator.scene import QUICK, Scene

    scene = Scene(cluster, namespace, name="a" + "-long" * 12 + "-1")
    assert len(scene.name) == 63
    scene.allow("default")
    start_operator()
    steps = [{"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1h"}}]
    container = {
        "name": "kserve-container",
        "image": "x",
        "env": [{"name": "GREETING", "value": "Grüße 🛫 東京"}],
    }
    scene.serve_first(
        strategy={**QUICK, "steps": steps}, serving={"template": {"predictor": {"containers": [container]}}}
    )
    scene.wish("2")
    scene.until("it has half", lambda: sorted(scene.split.weights.values()) == [50, 50])
    scene.order("abort", scene.revision("candidate"), by="Žofie 東京 🛬")
    scene.until("it is refused", lambda: scene.status.get("rejected"))
    assert scene.status["rejected"][0]["because"] == "Žofie 東京 🛬 aborted it"
    assert scene.is_("Ready")


def test_a_route_that_somebody_edits_is_put_back(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first()
    held = scene.route
    assert held is not None
    rules = [
        {**rule, "backendRefs": [{**rule["backendRefs"][0], "name": "foreign"}]}
        for rule in held["spec"]["rules"]
    ]
    scene.cluster.replace({**held, "spec": {**held["spec"], "rules": rules}})
    scene.until("it is put back", lambda: dict(scene.split.weights) == {scene.revision("stable"): 100})
    scene.until("it is told", lambda: scene.is_("RouteEdited"))
