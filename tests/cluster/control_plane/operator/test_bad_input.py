"""What is wrong, missing or odd around a rollout is said on it, and forgotten once it is right."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.kserve.kinds import SERVING_RUNTIME
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.ports.state import Conflict

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

    def edited() -> bool:
        held = scene.route
        assert held is not None
        rules = [
            {**rule, "backendRefs": [{**rule["backendRefs"][0], "name": "foreign"}]}
            for rule in held["spec"]["rules"]
        ]
        with suppress(Conflict):  # the operator or the gateway wrote meanwhile
            scene.cluster.replace({**held, "spec": {**held["spec"], "rules": rules}})
            return True
        return False

    scene.until("it is edited", edited)
    scene.until("it is put back", lambda: dict(scene.split.weights) == {scene.revision("stable"): 100})
    scene.until("it is told", lambda: scene.is_("RouteEdited"))


def route_at(scene: "Scene", gateway: str) -> dict[str, Any]:
    parent = {"name": gateway, "namespace": "gateways"}
    return {"parentRefs": [parent], "hostnames": [f"{scene.namespace}.example.com"]}


def test_a_shadow_at_a_gateway_that_copies_no_requests_stalls_and_says_why(
    scene: "Scene", start_operator: Start
) -> None:
    from tests.cluster.control_plane.public_gateway import API, gateway

    cluster, name = scene.cluster, f"plain-{scene.namespace}"
    made = cluster.create(
        {
            "apiVersion": API,
            "kind": "GatewayClass",
            "metadata": {"name": name},
            "spec": {"controllerName": "example.com/played"},
        }
    )
    assert made is not None
    cluster.write_status({**made, "status": {"supportedFeatures": [{"name": "HTTPRoute"}]}})
    cluster.create(gateway(name, of_class=name))
    start_operator()
    scene.serve_first(route=route_at(scene, name))
    scene.wish("2")
    scene.until("it stalls", lambda: scene.condition("Stalled")[1] == "MirrorUnsupported")
    told = (
        f"the class of Gateway 'gateways/{name}' lists its features, and HTTPRouteRequestMirror is not among"
    )
    assert told in scene.condition("Stalled")[2]
    assert scene.condition("MirrorSupported")[:2] == ("False", "SupportedFeatures")
    assert told in scene.condition("MirrorSupported")[2]
    assert scene.is_("Ready")
    assert (scene.split.mirror, dict(scene.split.weights)) == (None, {scene.revision("stable"): 100})


def test_a_gateway_that_appears_late_is_taken_up(scene: "Scene", start_operator: Start) -> None:
    from tests.cluster.control_plane.public_gateway import gateway

    name = f"late-{scene.namespace}"
    start_operator()
    scene.create(route=route_at(scene, name))
    scene.until("it is missed", lambda: scene.condition("MirrorSupported")[1] == "NoGateway")
    assert f"there is no Gateway 'gateways/{name}'" in scene.condition("MirrorSupported")[2]
    scene.until("it is waited for", lambda: scene.condition("RouteAccepted")[1] == "NotSeen")
    assert f"'{name}'" in scene.condition("RouteAccepted")[2]
    assert not scene.is_("Ready")
    scene.cluster.create(gateway(name))
    scene.until("it serves", lambda: scene.is_("Ready") and scene.is_("MirrorSupported"))


def test_a_gateway_of_another_namespace_that_takes_no_routes_of_ours_is_told(
    scene: "Scene", start_operator: Start
) -> None:
    from tests.cluster.control_plane.operator.players import NOT_ALLOWED
    from tests.cluster.control_plane.public_gateway import gateway

    name = f"theirs-{scene.namespace}"
    scene.cluster.create(gateway(name, routes_from="Same"))
    start_operator()
    scene.create(route=route_at(scene, name))
    scene.until("it is told", lambda: scene.is_("RouteAccepted", "False"))
    assert scene.condition("RouteAccepted")[1:] == ("NotAllowedByListeners", NOT_ALLOWED)
    assert scene.is_("Ready", "False")


def test_a_provider_of_another_namespace_is_told_and_never_called(
    scene: "Scene", start_operator: Start
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        url = f"http://127.0.0.1:{theirs.getsockname()[1]}"
        start_operator({"providers": {"mlflow": [{"name": "theirs", "url": url, "namespaces": ["other"]}]}})
        scene.create(model={"registry": {"providerRef": "theirs", "name": "flights"}})
        scene.until("it is told", lambda: scene.condition("Stalled")[1] == "ProviderUnknown")
        because = f"no mlflow provider 'theirs' for namespace '{scene.namespace}'"
        assert because in scene.condition("Stalled")[2]
        scene.until("nothing moves", lambda: scene.quiet)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.accept()


def test_a_runtime_that_appears_late_is_taken_up(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    model = {"modelFormat": {"name": "sklearn"}, "runtime": "late"}
    scene.create(serving={"template": {"predictor": {"model": model}}})
    scene.until("it is missed", lambda: scene.condition("TemplateValid")[:2] == ("False", "RuntimeNotFound"))
    assert "predictor.model.runtime 'late'" in scene.condition("TemplateValid")[2]
    container = {"name": "kserve-container", "image": "x", "args": ["--model_name={{.Name}}"]}
    scene.cluster.create(
        {
            "apiVersion": SERVING_RUNTIME.api_version,
            "kind": SERVING_RUNTIME.kind,
            "metadata": {"name": "late", "namespace": scene.namespace},
            "spec": {
                "containers": [container],
                "supportedModelFormats": [{"name": "sklearn", "version": "1"}],
            },
        }
    )
    scene.until("it serves", lambda: scene.is_("Ready") and not scene.is_("TemplateValid", "False"))
