"""Pods that an admission refuses are told with cause and remedy: real quotas, Pod Security, KServe and controllers.

Only the nodes and the gateway are played. What serves goes on serving throughout.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, NAMESPACE
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.direct import Direct
    from tests.cluster.kube.kserve import KServePlane

pytestmark = pytest.mark.xdist_group("kserve")
QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
Operating = Callable[..., "Operator"]


@pytest.fixture
def shop(kserve_cluster: "Direct", kserve_namespace: str) -> "Iterator[Scene]":
    """A rollout's namespace beside KServe's own manager; the gateway takes every route."""
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene

    class Gateway(Players):
        def _serve(self, service: Any) -> None:
            """KServe does."""

    gateway = Gateway(kserve_cluster, kserve_namespace)
    gateway.start()
    scene = Scene(kserve_cluster, kserve_namespace)
    scene.allow("default")
    yield scene
    gateway.stop()


@pytest.fixture
def operating(
    start_operator: Callable[..., "Operator"], kserve_control_plane: "KServePlane", shop: "Scene"
) -> Operating:
    """Start an operator there, with more settings."""

    def start(**settings: Any) -> "Operator":
        here = {"namespaces": [shop.namespace], "lease": {"namespace": shop.namespace}}
        return start_operator({**here, **settings}, kserve_control_plane.plane.kubeconfig)

    return start


def limit(scene: "Scene", **hard: str) -> None:
    """The namespace's quota, made or changed; it is enforced, since its controller has counted what is there."""
    spec = {"hard": {name.replace("_", "."): most for name, most in hard.items()}}
    meta = {"name": "small", "namespace": scene.namespace}
    scene.cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec})

    def counted() -> bool:
        status = (scene.cluster.read(QUOTA, scene.namespace, "small") or {}).get("status") or {}
        return bool(status.get("used")) and status.get("hard") == spec["hard"]

    scene.until("the quota is enforced", counted)


@contextmanager
def initializer_secured(scene: "Scene") -> Iterator[None]:
    """KServe's release says how models are fetched, and not as whom: a person adds it."""
    from tests.cluster.kube.manifests import documents, put
    from tests.cluster.kube.modules import kserve_install

    shipped = documents([kserve_install()], crds=False)
    made = next(one for one in shipped if one["kind"] == "ClusterStorageContainer")
    del made["metadata"]["namespace"]
    made["spec"]["container"]["securityContext"] = RESTRICTED
    put(scene.cluster, [made])
    yield
    scene.cluster.delete(scene.cluster.kind_of(made), "", made["metadata"]["name"])


def patient(timeout: str) -> dict[str, Any]:
    from tests.cluster.control_plane.operator.scene import QUICK

    return {**QUICK, "warmUp": {"requests": 2, "timeout": timeout}}


def test_a_quota_too_small_for_a_candidate_is_told_and_stable_serves_on(
    shop: "Scene", operating: Operating
) -> None:
    operating()
    shop.serve_first(strategy=patient("120s"))
    stable = shop.revision("stable")
    limit(shop, pods="1")
    shop.wish("2")
    shop.until("it is told", lambda: "exceeded quota: small" in shop.condition("Progressing")[2])
    assert "raise the namespace's ResourceQuota" in shop.condition("Progressing")[2]
    assert shop.is_("Ready")
    shop.edit(strategy=patient("15s"))
    shop.until("it is given up", lambda: shop.status.get("rejected") and shop.phase == "Idle")
    (refused,) = shop.status["rejected"]
    assert "not ready within 15 s: its pods cannot be made: pods" in refused["because"]
    assert "raise the namespace's ResourceQuota" in refused["because"]
    assert (shop.revision("stable"), dict(shop.split.weights)) == (stable, {stable: 100})
    assert shop.is_("Ready")

    limit(shop, pods="5")
    shop.edit(strategy=patient("120s"))
    shop.order("retry", refused["revision"])
    shop.until("with room it is promoted", lambda: shop.version("stable") == "2")


def test_a_namespace_that_refuses_a_template_s_containers_says_what_they_lack(
    shop: "Scene", operating: Operating
) -> None:
    operating()
    shop.serve_first(strategy=patient("120s"))
    stable = shop.revision("stable")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    shop.cluster.merge(NAMESPACE, "", shop.namespace, {"metadata": {"labels": labels}})
    shop.wish("2")
    shop.until("it is told", lambda: "violates PodSecurity" in shop.condition("Progressing")[2])
    assert "seccompProfile: {type: RuntimeDefault}" in shop.condition("Progressing")[2]
    assert shop.is_("Ready")
    assert dict(shop.split.weights) == {stable: 100}

    assert "KServe's ClusterStorageContainer `default`" in shop.condition("Progressing")[2]

    with initializer_secured(shop):
        container = {"name": "kserve-container", "image": "x", "securityContext": RESTRICTED}
        shop.edit(serving={"template": {"predictor": {"containers": [container]}}})
        shop.order("abort", shop.revision("candidate"))
        shop.until("by the remedy it is promoted", lambda: shop.version("stable") == "2")
    assert shop.revision("stable") != stable


def test_a_first_revision_that_cannot_be_made_says_so_in_ready(shop: "Scene", operating: Operating) -> None:
    limit(shop, pods="0")
    operating()
    shop.create()
    shop.until("it is told", lambda: "exceeded quota" in shop.condition("Ready")[2])
    assert shop.condition("Ready")[0] == "False"
    limit(shop, pods="5")
    shop.until("it serves", lambda: shop.is_("Ready"))


def test_a_collector_that_cannot_be_made_says_why_on_the_monitor(shop: "Scene", operating: Operating) -> None:
    def wired() -> tuple[str, str, str]:
        held = shop.cluster.read(DRIFT_MONITOR, shop.namespace, "flights") or {}
        for one in (held.get("status") or {}).get("conditions") or []:
            if one["type"] == "LoggingWired":
                return one["status"], one["reason"], one.get("message", "")
        return "", "", ""

    limit(shop, requests_storage="1Gi")
    operating(collector={"image": "trimtab-operator:1", "storage": "10Gi", "address": "http://127.0.0.1:9"})
    shop.serve_first()
    shop.cluster.create(
        {
            "apiVersion": DRIFT_MONITOR.api_version,
            "kind": DRIFT_MONITOR.kind,
            "metadata": {"name": "flights", "namespace": shop.namespace},
            "spec": {"target": {"rolloutRef": "flights"}},
        }
    )
    shop.until("it is told", lambda: "exceeded quota: small" in wired()[2])
    assert wired()[:2] == ("False", "CollectorNotReady")
    assert f"the collector of namespace {shop.namespace} is not ready yet" in wired()[2]
    assert "raise the namespace's ResourceQuota" in wired()[2]
    assert shop.is_("Ready")

    limit(shop, requests_storage="100Gi")
    shop.until("its volume is what it waits for then", lambda: "default StorageClass" in wired()[2])
