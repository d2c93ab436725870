"""ports.Gateway on a real Envoy Gateway: the behaviours of every gateway, by GatewayApi, before real pods.

A stock Envoy Gateway counts by route, not by Service, so that what was sent to a revision is not known; and it gives
each request an id of its own. The behaviours that need either run on a Gateway that is told to do better.
"""

import http.client
import importlib.util
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.gateway_api.envoy_counts import POD
from trimtab.ports.cluster import Object
from trimtab.ports.gateway import Gateway, Sent, Split
from trimtab.ports.state import Conflict

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway as Installed
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

BEHAVIOUR = Path(__file__).parents[2] / "contract" / "gateway_behaviour.py"
SETTLE_S = 0.5
"""Envoy does as Envoy Gateway accepted within 0.3 s."""
PORT = 8080


def _behaviour() -> Any:
    spec = importlib.util.spec_from_file_location("gateway_behaviour", BEHAVIOUR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


behaviour = _behaviour()
STABLE = behaviour.STABLE


@dataclass(frozen=True)
class Backend:
    service: str
    port: int = 80


@dataclass
class Settled:
    """A Gateway whose `apply` waits until what it wrote is in effect, as the operator does by looking again."""

    inner: Gateway

    def apply(self, host: str, split: Split) -> None:
        from tests.cluster.kube.poll import eventually

        def written() -> bool:
            try:
                self.inner.apply(host, split)
            except Conflict:  # the gateway's controller wrote its status in between
                return False
            return True

        def in_effect() -> bool:
            held = self.inner.split(host)
            return held is not None and held.in_effect

        eventually("the route is written", written, 10)
        eventually("the split is in effect", in_effect, 30)
        self.inner.sent(host)  # copies are told to be a revision's from the first look at it

    def split(self, host: str) -> Split | None:
        return self.inner.split(host)

    def sent(self, host: str) -> Mapping[str, Sent]:
        return self.inner.sent(host)


@dataclass
class NodeWorld:
    """A namespace of the node, whose pods answer as revisions."""

    node: "Node"
    installed: "Installed"
    namespace: str
    gateway: Gateway = field(init=False)
    live: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        from trimtab.adapters.children import Place
        from trimtab.adapters.gateway_api import GatewayApi, ParentRef, RouteSpec
        from trimtab.adapters.gateway_api.envoy_counts import EnvoyCounts

        self.host = f"{self.namespace}.example.com"
        self._local = threading.local()
        spec = RouteSpec((ParentRef(self.installed.name, "gateways"),), (self.host,), "flights")
        counts = EnvoyCounts(self.node.cluster, fetch=self._stats, every_s=0)
        self.gateway = Settled(
            GatewayApi(
                self.node.cluster,
                Place(self.namespace, "flights"),
                spec,
                backend=lambda revision: Backend(f"r-{revision}") if revision in self.live else None,
                settle_s=SETTLE_S,
                counts=counts,
            )
        )

    def serve(self, revision: str, delay_s: float = 0.0) -> None:
        from tests.cluster.kube.poll import eventually

        name = f"r-{revision}"
        metadata = {"name": name, "namespace": self.namespace, "labels": {"app": name}}
        served = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": PORT}]}
        for kind, spec in (("Service", served), ("Pod", _pod(revision, delay_s))):
            made = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
            self.node.cluster.create(made)
        eventually(f"{name} is ready", lambda: self._is_ready(name), 60)
        self.live.add(revision)

    def retire(self, revision: str) -> None:
        """Its server ends; its Service stays, as a revision's does until no route names it."""
        from tests.cluster.kube.poll import eventually

        name = f"r-{revision}"
        self.node.cluster.delete(POD, self.namespace, name)
        eventually(f"{name} is gone", lambda: self._pod_of(name) is None, 30)

    def ask(self, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.installed.port, timeout=10)
            self._local.connection = connection
        connection.request("POST", "/v2/models/flights/infer", b"{}", {"host": self.host, **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        told = json.loads(body) if answer.status == 200 else {"revision": body.decode(), "headers": {}}
        return answer.status, told["revision"], told["headers"]

    def seen(self, revision: str) -> dict[str, int]:
        held = self._pod_of(f"r-{revision}")
        assert held is not None
        address = held["status"]["podIP"]
        connection = http.client.HTTPConnection("127.0.0.1", self.node.forward(address, PORT), timeout=5)
        connection.request("GET", "/seen")
        found: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def _pod_of(self, name: str) -> Object | None:
        return self.node.cluster.read(POD, self.namespace, name)

    def _is_ready(self, name: str) -> bool:
        held = self._pod_of(name) or {}
        conditions = (held.get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def _stats(self, address: str, port: int) -> str:
        import urllib.request

        at = f"http://127.0.0.1:{self.node.forward(address, port)}/stats/prometheus"
        with urllib.request.urlopen(at, timeout=5) as answer:
            text: str = answer.read().decode()
            return text


def _pod(revision: str, delay_s: float) -> dict[str, Any]:
    from tests.cluster.kube.images import WEB

    told = {"REVISION": revision, "DELAY_S": str(delay_s), "PORT": str(PORT)}
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "web",
                "image": WEB,
                "imagePullPolicy": "IfNotPresent",
                "env": [{"name": name, "value": value} for name, value in told.items()],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
            }
        ],
    }


@pytest.fixture(scope="session")
def counted(gateway: "Installed") -> "Installed":
    """A second Gateway, with merged backends."""
    from tests.cluster.kube import gateway as installing

    return installing.install_counted(gateway.node)


class TestEnvoyGateway(behaviour.GatewayBehaviour):  # type: ignore[misc]  # loaded by its path
    """As it is installed: with no counts, which is said and not taken for nought."""

    @pytest.fixture
    def world(self, node: "Node", gateway: "Installed", namespace: str) -> NodeWorld:
        return NodeWorld(node, gateway, namespace)

    def test_a_full_mirror_copies_each_request_once_and_its_answer_is_never_seen(
        self, world: NodeWorld
    ) -> None:
        world.serve(STABLE)
        world.serve(behaviour.CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, behaviour.CANDIDATE, 100))
        assert behaviour.answers(world, 200) == {STABLE: 200}
        ids = world.seen(STABLE)
        assert len(ids) == 200
        behaviour.eventually(lambda: world.seen(behaviour.CANDIDATE) == ids)
        assert set(ids.values()) == {1}
        assert world.gateway.sent(world.host) == {}

    def test_the_client_s_request_id_reaches_the_server(self, world: NodeWorld) -> None:
        """It does not; what pairs a request with its copy is the gateway's own."""
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        name = "0b5b3c1e-9f3a-4c3e-8f5a-3d2a1b0c9d8e"
        assert world.ask({"x-request-id": name})[2]["x-request-id"] not in ("", name)

    def test_a_mirror_that_is_gone_hurts_nobody(self, world: NodeWorld) -> None:
        """A mirror in which it finds no endpoint is not carried out: no copy is made, and none fails."""
        world.serve(STABLE)
        world.serve(behaviour.CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, behaviour.CANDIDATE, 100))
        world.retire(behaviour.CANDIDATE)
        assert behaviour.answers(world, 50) == {STABLE: 50}

    def test_an_audience_by_header_is_answered_by_the_candidate_and_nobody_else_is(
        self, world: NodeWorld
    ) -> None:
        world.serve(STABLE)
        world.serve(behaviour.CANDIDATE)
        told = Split({STABLE: 100}, chosen=behaviour.CANDIDATE, audience=behaviour.BETA)
        world.gateway.apply(world.host, told)
        chosen = {"x-cohort": "beta"}
        assert behaviour.answers(world, 20, chosen) == {behaviour.CANDIDATE: 20}
        assert behaviour.answers(world, 20) == {STABLE: 20}

    def test_a_slow_mirror_slows_nobody_and_its_copies_are_pending_until_they_end(
        self, world: NodeWorld
    ) -> None:
        import time

        world.serve(STABLE)
        world.serve(behaviour.CANDIDATE, delay_s=2.0)
        world.gateway.apply(world.host, Split({STABLE: 100}, behaviour.CANDIDATE, 100))
        began_s = time.monotonic()
        assert behaviour.answers(world, 5) == {STABLE: 5}
        assert time.monotonic() - began_s < 2
        behaviour.eventually(lambda: sum(world.seen(behaviour.CANDIDATE).values()) == 5)


def _counted(name: str) -> Callable[[Any, NodeWorld], None]:
    found: Callable[[Any, NodeWorld], None] = getattr(behaviour.GatewayBehaviour, name)
    return found


class TestMergedBackends:
    """What reads counts, where they are to be had."""

    @pytest.fixture
    def world(self, node: "Node", counted: "Installed", namespace: str) -> NodeWorld:
        return NodeWorld(node, counted, namespace)

    test_the_request_id = _counted("test_the_client_s_request_id_reaches_the_server")
    test_a_full_mirror = _counted("test_a_full_mirror_copies_each_request_once_and_its_answer_is_never_seen")
    test_an_audience = _counted("test_an_audience_by_header_is_answered_by_the_candidate_and_nobody_else_is")
    test_a_slow_mirror = _counted("test_a_slow_mirror_slows_nobody_and_its_copies_are_pending_until_they_end")
    test_the_same_split_again = _counted("test_applying_the_same_split_again_changes_nothing")
    test_a_change_is_in_effect = _counted("test_a_change_is_in_effect_when_apply_returns")
    test_weights_are_shares = _counted("test_weights_are_the_shares_of_requests")
