"""An InferenceService that KServe has served alone is taken over, by the real manager of KServe and a real garbage
collector: at no moment is there no accepted route to a ready server. (What requests see of it is the node suite's.)
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.leases import LONG_LEASE
from tests.cluster.control_plane.operator.players import Players, served_models
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE
from trimtab.ports.cluster import Kind, Object

if TYPE_CHECKING:
    from tests.cluster.control_plane.daytwo.scene import Scene
    from tests.cluster.kube.direct import Direct
    from tests.cluster.kube.kserve import KServePlane

pytestmark = pytest.mark.xdist_group("kserve")
ROOT = Path(__file__).parents[4]
GATEWAY = {"name": "kserve-ingress-gateway", "namespace": "kserve"}
SERVICE = Kind("", "v1", "Service", "services")
PREDICTOR: Mapping[str, Any] = {
    "containers": [
        {
            "name": "kserve-container",
            "image": "x",
            "resources": {"requests": {"cpu": "10m", "memory": "10Mi"}},
        }
    ]
}


class GatewayPlayer(Players):
    """Accepts routes; KServe's own manager does the rest here."""

    def _serve(self, service: Object) -> None:
        """Not ours to play."""

    def _taken(self, ref: Mapping[str, Any]) -> bool | None:
        """KServe names a Gateway of its own, which nobody made here."""
        return True


@pytest.fixture
def adopting(
    kserve_control_plane: "KServePlane", kserve_cluster: "Direct", kserve_namespace: str, tmp_path: Path
) -> Iterator["Scene"]:
    """An operator beside KServe's manager."""
    from tests.cluster.control_plane.daytwo.scene import Scene

    kubeconfig, namespace = kserve_control_plane.plane.kubeconfig, kserve_namespace
    gateway = GatewayPlayer(kserve_cluster, namespace)
    with served_models() as models, (tmp_path / "operator.log").open("wb") as log:
        config, lease = tmp_path / "operator.yaml", json.dumps({"namespace": namespace, **LONG_LEASE})
        config.write_text(
            f"namespaces: [{namespace}]\nlease: {lease}\nsettle: 1s\ntick: 1s\n"
            f"listen: {{host: 127.0.0.1, port: 0}}\ncache: {tmp_path}/cache\n"
            f"services: 'http://127.0.0.1:{models}/{{namespace}}/{{service}}'\n",
            encoding="utf-8",
        )
        gateway.start()
        operator = subprocess.Popen(
            [sys.executable, "-m", "operators.drift", f"--config={config}", f"--kubeconfig={kubeconfig}"],
            cwd=ROOT, stdout=log, stderr=log, env=os.environ,
        )  # fmt: skip
        try:
            yield Scene(kserve_cluster, namespace, kubeconfig)
        finally:
            operator.kill()
            operator.wait(10)
            gateway.stop()


def ready(scene: "Scene", kind: Kind, name: str) -> bool:
    held = scene.cluster.get(kind, scene.namespace, name)
    told = ((held or {}).get("status") or {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in told)


def answering(scene: "Scene", host: str) -> set[str]:
    """Routes of this host that are accepted and lead only to Deployments with a pod."""
    found = set()
    for route in scene.cluster.list(HTTP_ROUTE, scene.namespace):
        parents = (route.get("status") or {}).get("parents") or []
        accepted = bool(parents) and all(one["status"] == "True" for one in parents[0]["conditions"])
        services = [
            ref["name"]
            for rule in route["spec"]["rules"]
            for ref in rule["backendRefs"]
            if ref.get("weight", 1) > 0
        ]
        served = [scene.cluster.get(DEPLOYMENT, scene.namespace, name) for name in services]
        up = all(one is not None and one.get("status", {}).get("availableReplicas") for one in served)
        if accepted and up and host in route["spec"]["hostnames"]:
            found.add(str(route["metadata"]["name"]))
    return found


def test_an_inference_service_is_taken_over_without_a_moment_that_nobody_serves(adopting: "Scene") -> None:
    from tests.cluster.control_plane.daytwo.scene import ROUTE, allow, manifest

    scene, namespace = adopting, adopting.namespace
    host = f"legacy-{namespace}.example.com"
    scene.cluster.create(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "legacy", "namespace": namespace},
            "spec": {"predictor": PREDICTOR},
        }
    )
    scene.until("KServe serves it", lambda: ready(scene, INFERENCE_SERVICE, "legacy"))
    assert answering(scene, host) == {"legacy"}
    before = scene.cluster.get(DEPLOYMENT, namespace, "legacy-predictor")

    allow(scene.cluster, namespace)
    route = {"parentRefs": [GATEWAY], "hostnames": [host], "inCluster": False}
    scene.cluster.create(manifest(namespace, route=route, serving={"template": {"predictor": PREDICTOR}}))
    scene.until("the rollout serves beside it", lambda: scene.condition("Ready") == "True")
    assert scene.condition("RouteAccepted") == "True"
    assert answering(scene, host) == {"legacy", ROUTE}
    after = scene.cluster.get(DEPLOYMENT, namespace, "legacy-predictor")
    assert before is not None
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"], "its pods were rolled"

    scene.kubectl("delete", "inferenceservice", "legacy", "-n", namespace, "--cascade=orphan")
    assert scene.cluster.get(INFERENCE_SERVICE, namespace, "legacy") is None
    assert answering(scene, host) == {"legacy", ROUTE}

    scene.kubectl("delete", "httproute", "legacy", "legacy-predictor", "-n", namespace)
    assert answering(scene, host) == {ROUTE}
    assert scene.cluster.get(DEPLOYMENT, namespace, "legacy-predictor") is not None

    mine = "serving.kserve.io/inferenceservice=legacy"
    scene.kubectl("delete", "deployments,services,hpa", "-n", namespace, "-l", mine)
    scene.until(
        "nothing of it is left",
        lambda: (
            scene.cluster.get(DEPLOYMENT, namespace, "legacy-predictor") is None
            and scene.cluster.get(SERVICE, namespace, "legacy-predictor") is None
        ),
    )
    assert answering(scene, host) == {ROUTE}
    assert scene.weights() == {"1": 100}
