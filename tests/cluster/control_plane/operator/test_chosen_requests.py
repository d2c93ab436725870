"""Blue-green and A/B on a real API server: which requests come to the candidate, and what a person reads of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import preview_name

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]
HOST = "preview.example.com"
BETA = {"name": "x-cohort", "value": "beta"}


def strategy(*steps: dict[str, Any]) -> dict[str, Any]:
    from tests.cluster.control_plane.operator.scene import QUICK

    return {**QUICK, "steps": list(steps)}


def preview(scene: "Scene") -> dict[str, Any] | None:
    held = scene.cluster.get(HTTP_ROUTE, scene.namespace, preview_name(scene.name))
    return dict(held) if held is not None else None


def test_blue_green_by_a_second_host_an_approval_and_a_switch(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    look = {"name": "look", "preview": {"hostname": HOST}, "until": {"minDuration": "2s"}}
    scene.serve_first(strategy=strategy(look, {"name": "sign-off", "approval": {}}))
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("a person is asked", lambda: scene.phase == "AwaitingApproval")
    second = scene.revision("candidate")
    assert dict(scene.split.weights) == {first: 100}
    held = preview(scene)
    assert held is not None
    assert held["spec"]["hostnames"] == [HOST]
    (to,) = held["spec"]["rules"][0]["backendRefs"]
    assert second in to["name"]
    assert scene.status["preview"] == HOST
    assert scene.condition("PreviewAccepted")[0] == "True"
    assert scene.condition("ModelNameFixed")[:2] == ("True", "AsServed")
    assert scene.condition("DigestChecked")[:2] == ("False", "NotByRuntime")

    scene.cluster.delete(HTTP_ROUTE, scene.namespace, preview_name(scene.name))
    scene.until("it is made again", lambda: preview(scene) is not None)

    scene.order("approve", second, "sign-off")
    scene.until("it is stable", lambda: scene.version("stable") == "2")
    assert dict(scene.split.weights) == {second: 100}
    assert preview(scene) is None
    scene.until("nobody speaks of it", lambda: not scene.status.get("preview"))
    scene.until("the first one's server goes", lambda: scene.servers == {"2"})


def test_an_audience_by_header_and_its_abort(scene: "Scene", start_operator: Start) -> None:
    start_operator()
    scene.serve_first(
        strategy=strategy({"name": "beta", "audience": {"header": BETA}, "until": {"minDuration": "1h"}})
    )
    first = scene.revision("stable")
    scene.wish("2")
    scene.until("callers are led to it", lambda: scene.split.chosen == scene.revision("candidate") != "")
    second = scene.revision("candidate")
    assert dict(scene.split.weights) == {first: 100}
    scene.until("it is told", lambda: scene.status.get("audience") == "header x-cohort: beta")
    assert scene.phase == "Audience"
    assert scene.condition("AudienceSupported")[:2] == ("True", "Supported")
    scene.order("abort", second)
    scene.until("nobody is", lambda: scene.split.chosen is None)
    scene.until("its server goes", lambda: scene.servers == {"1"})
    assert dict(scene.split.weights) == {first: 100}


def test_an_audience_by_cookie_does_not_start_and_a_person_reads_why(
    scene: "Scene", start_operator: Start
) -> None:
    start_operator()
    scene.serve_first(strategy=strategy({"name": "beta", "audience": {"cookie": BETA}}))
    scene.wish("2")
    scene.until("it stalls", lambda: scene.is_("Stalled"))
    assert scene.condition("Stalled")[1] == "AudienceUnsupported"
    assert scene.condition("AudienceSupported")[:2] == ("False", "Unsupported")
    assert scene.split.chosen is None
    assert scene.is_("Ready")
    scene.edit(strategy=strategy({"name": "beta", "audience": {"header": BETA}}))
    scene.until("by header it starts, and ends", lambda: scene.version("stable") == "2")


def test_a_rollout_deleted_in_the_middle_leaves_everybody_with_stable(
    scene: "Scene", start_operator: Start
) -> None:
    start_operator()
    scene.serve_first(
        strategy=strategy({"name": "beta", "audience": {"header": BETA}, "until": {"minDuration": "1h"}})
    )
    scene.wish("2")
    scene.until("callers are led to it", lambda: scene.split.chosen)
    scene.delete()
    scene.until("it is gone", lambda: scene.gone)
    assert scene.split.chosen is None


def test_what_was_retained_keeps_the_name_that_clients_call_it_by(
    scene: "Scene", start_operator: Start
) -> None:
    start_operator()
    scene.serve_first()
    served = scene.route
    assert served is not None
    scene.delete()
    scene.until("it is gone", lambda: scene.gone)
    scene.create(modelName="departures")
    scene.until("it serves", lambda: scene.is_("Ready"))
    status, reason, message = scene.condition("ModelNameFixed")
    assert (status, reason) == ("False", "Kept")
    assert "answer to 'flights'" in message
    assert scene.route is not None
    assert scene.route["spec"] == served["spec"]
    scene.wish("2")
    scene.until("the next one serves under the old name, too", lambda: scene.version("stable") == "2")
    assert scene.route["spec"]["rules"][0]["matches"] == served["spec"]["rules"][0]["matches"]
