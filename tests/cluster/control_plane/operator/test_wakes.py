"""What a rollout names and is not there wakes it when it comes: by a watch, from a real API server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from trimtab.adapters.children import ROLLOUT
from trimtab.adapters.gateway_api.kinds import GATEWAY, GATEWAY_CLASS, SERVICE
from trimtab.adapters.kserve.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

pytestmark = pytest.mark.xdist_group("operator")
WITHIN_S = 60.0
RUNTIME = {
    "containers": [{"name": "kserve-container", "image": "x", "args": ["--model_name={{.Name}}"]}],
    "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True}],
}


class Woken:
    """Rollouts of a namespace, and which of them each kind has woken."""

    def __init__(self, cluster: "Direct", namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.by: list[tuple[str, str]] = []

    def rollout(self, name: str, gateway: str, predictor: dict[str, Any]) -> None:
        from tests.cluster.control_plane.faults.stage import rollout

        made = rollout(self.namespace, {"predictor": predictor})
        made["metadata"]["name"] = name
        made["spec"]["modelName"] = name
        made["spec"]["route"]["parentRefs"] = [{"name": gateway}]
        self.cluster.create(made)

    def until(self, kind: Kind, names: set[str]) -> list[str]:
        """Until exactly these have been woken by a kind since the last call: each as often as it was."""
        from tests.cluster.kube.poll import eventually

        def woken() -> list[str]:
            return [name for by, name in self.by if by == kind.kind]

        eventually(f"{kind.kind} wakes {names}", lambda: set(woken()) >= names, WITHIN_S)
        found = woken()
        assert set(found) == names
        self.by.clear()
        return found


@pytest.fixture
def woken(
    control_plane: "ControlPlane",
    cluster: "Direct",
    namespace: str,
    trimtab_crds: None,
    kserve_crds: None,
    gateway_api_crds: None,
) -> Iterator[Woken]:
    from operators.drift import watches
    from tests.cluster.control_plane.faults.machine import running
    from tests.cluster.kube.poll import eventually

    found = Woken(cluster, namespace)
    with running(control_plane.kubeconfig) as machine:
        caches = machine.caches

        def listen(kind: Kind, keys: watches.ToKeys) -> None:
            def told(old: Any, new: Any) -> None:
                found.by.extend((kind.kind, key.name) for key in keys(old, new) if key.namespace == namespace)

            caches.subscribe(kind, told)

        for kind, keys in watches.wakes(caches)[MODEL_ROLLOUT]:
            listen(kind, keys)
        found.rollout("named", "late", {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "late"}})
        found.rollout("open", "late", {"model": {"modelFormat": {"name": "sklearn"}}})
        found.rollout("plain", "other", {"containers": [{"name": "kserve-container", "image": "x"}]})
        eventually("they are seen", lambda: len(caches.list(MODEL_ROLLOUT, namespace)) == 3, WITHIN_S)
        yield found


def test_a_gateway_that_comes_changes_and_goes_wakes_those_that_name_it(woken: Woken) -> None:
    cluster, of_class = woken.cluster, f"late-{uuid4().hex[:8]}"
    api = GATEWAY.api_version
    gateway = {
        "apiVersion": api, "kind": "Gateway", "metadata": {"name": "late", "namespace": woken.namespace},
        "spec": {"gatewayClassName": of_class, "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]},
    }  # fmt: skip
    made = cluster.create(gateway)
    assert made is not None
    woken.until(GATEWAY, {"named", "open"})
    listeners = [{"name": "web", "attachedRoutes": 3, "supportedKinds": [], "conditions": []}]
    made = cluster.write_status({**made, "status": {"listeners": listeners}})
    addresses = [{"type": "IPAddress", "value": "192.0.2.1"}]
    cluster.write_status({**made, "status": {"addresses": addresses, "listeners": listeners}})
    # That a route attached was no news.
    assert sorted(woken.until(GATEWAY, {"named", "open"})) == ["named", "open"]
    spec = {"controllerName": "example.com/played"}
    made = cluster.create(
        {"apiVersion": api, "kind": "GatewayClass", "metadata": {"name": of_class}, "spec": spec}
    )
    assert made is not None
    cluster.write_status({**made, "status": {"supportedFeatures": [{"name": "HTTPRouteRequestMirror"}]}})
    woken.until(GATEWAY_CLASS, {"named", "open"})
    cluster.delete(GATEWAY, woken.namespace, "late")
    woken.until(GATEWAY, {"named", "open"})
    cluster.delete(GATEWAY_CLASS, "", of_class)


def test_a_runtime_that_comes_wakes_those_that_name_it_or_leave_it_open(woken: Woken) -> None:
    meta = {"name": "late", "namespace": woken.namespace}
    api = SERVING_RUNTIME.api_version
    woken.cluster.create({"apiVersion": api, "kind": "ServingRuntime", "metadata": meta, "spec": RUNTIME})
    woken.until(SERVING_RUNTIME, {"named", "open"})
    other = f"late-{uuid4().hex[:8]}"
    made = {"apiVersion": api, "kind": "ClusterServingRuntime", "metadata": {"name": other}, "spec": RUNTIME}
    woken.cluster.create(made)
    woken.until(CLUSTER_SERVING_RUNTIME, {"open"})
    woken.cluster.delete(CLUSTER_SERVING_RUNTIME, "", other)


def test_a_service_of_a_rollout_that_somebody_deletes_wakes_it(woken: Woken) -> None:
    def service(name: str, **labels: str) -> dict[str, Any]:
        meta = {"name": name, "namespace": woken.namespace, "labels": labels}
        spec = {"type": "ExternalName", "externalName": "gateway.example.com"}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    woken.cluster.create(service("of-nobody"))
    woken.cluster.create(service("open", **{ROLLOUT: "open"}))
    woken.until(SERVICE, {"open"})
    woken.cluster.delete(SERVICE, woken.namespace, "of-nobody")
    woken.cluster.delete(SERVICE, woken.namespace, "open")
    woken.until(SERVICE, {"open"})
