"""An InferenceService that KServe routes is taken over by a rollout, as docs/day-two.md says, and no request fails."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.node.shares import Note
from tests.cluster.node.under_load import answered_by, assert_no_failure, begin, start_load

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")

LEGACY = "legacy"


def test_a_served_model_is_taken_over_and_no_request_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.served import inference_service, routed_host, runtime

    node, namespace = rollout.node, rollout.namespace
    hostname, old = routed_host(namespace, LEGACY), models.revisions["v1"]
    node.apply(runtime(namespace))
    node.apply(inference_service(namespace, LEGACY, old, "pvc://models/v1", routed=True))
    node.wait("Ready", "inferenceservice", LEGACY, namespace, within_s=120)
    load = start_load(gateway, rollout, models, hostname)
    answered_by(load, {old})

    new = begin(rollout, models, hostname=hostname)
    answered_by(load, {old}, seconds=3)
    assert rollout.condition("RouteAccepted") == "True"

    node.kubectl("delete", "inferenceservice", LEGACY, "-n", namespace, "--cascade=orphan")
    answered_by(load, {old}, seconds=5)
    left = {one["metadata"]["name"] for one in node.list("httproutes", namespace)}
    assert {LEGACY, f"{LEGACY}-predictor"} <= left

    routes = [f"httproute/{LEGACY}", f"httproute/{LEGACY}-predictor"]
    away = '{"spec": {"hostnames": ["nobody.invalid"]}}'
    node.kubectl("patch", *routes, "-n", namespace, "--type", "merge", "-p", away)
    answered_by(load, {new}, seconds=3)

    node.kubectl("delete", *routes, "-n", namespace)
    of_legacy = f"serving.kserve.io/inferenceservice={LEGACY}"
    node.kubectl("delete", "deployments,services,horizontalpodautoscalers", "-n", namespace, "-l", of_legacy)
    answered_by(load, {new}, seconds=8)
    assert not node.list("deployments", namespace, of_legacy)
    ended = load.stop()
    assert_no_failure(ended, record_property)
    assert set(ended.revisions) == {old, new}
