"""Real models in real pods behind a real gateway, under load."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.conftest import Volume

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models

pytestmark = pytest.mark.xdist_group("node")

RATE = 300
SECONDS = 10


@pytest.fixture
def served(kserve: "Node", namespace: str, volume: Volume, models: "Models") -> str:
    """The namespace, with v1 and v2 as Ready InferenceServices."""
    from tests.cluster.node.served import inference_service, runtime

    volume("models", models.folder)
    kserve.apply(runtime(namespace))
    for version, revision in models.revisions.items():
        kserve.apply(inference_service(namespace, version, revision, f"pvc://models/{version}"))
    for version in models.revisions:
        kserve.wait("Ready", "inferenceservice", version, namespace, within_s=120)
    return namespace


def test_a_share_and_a_mirror_reach_real_models_and_no_request_fails(
    kserve: "Node", gateway: "Gateway", served: str, models: "Models"
) -> None:
    v1, v2 = (models.revisions[version] for version in ("v1", "v2"))
    routed(kserve, gateway, served, {"v1": 90, "v2": 10}, ("v2", 20))
    before = counts(gateway, served)
    ended = load(kserve, gateway, served, models)
    after = counts(gateway, served)
    assert not ended.failed, ended.failures[:3]
    assert ended.sent == RATE * SECONDS
    assert set(ended.revisions) == {v1, v2}
    assert ended.revisions[v1] == after["v1"] - before["v1"]
    assert ended.revisions[v2] == after["v2"] - before["v2"]
    assert_share(ended.revisions[v2], ended.sent, 0.10)
    assert_share(after["mirror"] - before["mirror"], ended.sent, 0.20)


def routed(
    node: "Node",
    gateway: "Gateway",
    namespace: str,
    weights: dict[str, int],
    mirror: tuple[str, int] | None = None,
) -> None:
    """Write the route, and wait until the proxies follow it: a probe's answer and, of a mirror, its copy."""
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node.served import route

    node.apply(route(namespace, weights, mirror))

    before = counts(gateway, namespace)["mirror"]

    def follows() -> bool:
        probe(gateway, namespace)
        return mirror is None or counts(gateway, namespace)["mirror"] > before

    eventually("the gateway answers for the host", lambda: probe(gateway, namespace) == 200, 60)
    eventually("the gateway mirrors", follows, 60)


def probe(gateway: "Gateway", namespace: str) -> int:
    import httpx

    from tests.cluster.node.served import MODEL, host

    url = f"http://127.0.0.1:{gateway.port}/v2/models/{MODEL}/ready"
    return httpx.get(url, headers={"Host": host(namespace)}).status_code


def counts(gateway: "Gateway", namespace: str) -> dict[str, int]:
    """Requests by version, as the proxies counted them; and copies."""
    from tests.cluster.node.served import MODEL

    by_pod = gateway.sent(namespace, MODEL)
    pods = gateway.node.list("pods", namespace)
    found = {
        pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"]: pod["status"].get("podIP")
        for pod in pods
    }
    sent = {version: by_pod.get(found.get(version, ""), 0) for version in ("v1", "v2")}
    return {**sent, "mirror": gateway.mirrored(namespace, MODEL)}


def load(node: "Node", gateway: "Gateway", namespace: str, models: "Models") -> Any:
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node.served import MODEL, host

    url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
    return RunningLoad(
        node, url, host=host(namespace), bodies=models.requests, rate=RATE, seconds=SECONDS
    ).wait()


def assert_share(count: int, of: int, share: float) -> None:
    """Within five standard deviations of a fair draw: a wrong run in two million."""
    deviation = math.sqrt(of * share * (1 - share))
    assert abs(count - of * share) <= 5 * deviation


def test_the_model_folders_are_what_the_server_verifies(models: "Models") -> None:
    from trimtab.serving.folder import open_folder

    for version in models.revisions:
        folder: Path = models.folder / version
        assert open_folder(folder).plan.model_name == "flights"
        assert (folder / "profile.json").stat().st_size > 0
    assert len(set(models.revisions.values())) == 2


def test_all_traffic_moves_to_the_other_model_under_load_and_no_request_fails(
    kserve: "Node", gateway: "Gateway", served: str, models: "Models"
) -> None:
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node.served import MODEL, host, route

    routed(kserve, gateway, served, {"v1": 100})
    url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
    running = RunningLoad(kserve, url, host=host(served), bodies=models.requests, rate=RATE, seconds=60)
    for first, then in (("v1", "v2"), ("v2", "v1")) * 3:
        kserve.apply(route(served, {first: 0, then: 100}))
        alone = {models.revisions[then]}
        eventually(
            f"only {then} answers", lambda alone=alone: set(running.seconds[-1]["revisions"]) == alone, 20
        )
    ended = running.stop()
    assert not ended.failed, ended.failures[:3]
