"""Counters of real Envoys, whose clusters are named as Envoy Gateway names them, against what was asked of them."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cluster.control_plane.gateway.conftest import MakeEnvoy
from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import ParentRef
from trimtab.adapters.gateway_api.envoy_counts import POD, EnvoyCounts, fetch
from trimtab.ports.gateway import Split

STABLE, CANDIDATE, THIRD = "aaaa1111", "bbbb2222", "cccc3333"
SERVICES = {one: f"flights-{one}-predictor" for one in (STABLE, CANDIDATE, THIRD)}
SHADOW = Split({STABLE: 100}, CANDIDATE, 100)


class Backend(BaseHTTPRequestHandler):
    """Answers with the status in the path's end."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(int(self.path.rsplit("/", 1)[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    """A busy machine takes connections late; what finds no place is sent again a second later, or has failed."""


class World:
    def __init__(self, cluster: Any, namespace: str, backend: int, make_envoy: MakeEnvoy) -> None:
        self.cluster, self.namespace, self.now_s = cluster, namespace, 0.0
        self.place = Place(namespace, "flights")
        self._backend, self._make_envoy = backend, make_envoy
        self.proxies: dict[str, Any] = {}
        self.counts = self.fresh()

    def fresh(self) -> EnvoyCounts:
        return EnvoyCounts(self.cluster, fetch=self.fetch, clock_s=lambda: self.now_s)

    def fetch(self, address: str, port: int) -> str:
        return fetch("127.0.0.1", self.proxies[address].admin, 60.0)

    def proxy(self, address: str, *, merged: bool = True) -> None:
        """A proxy's pod, and its Envoy."""
        from tests.cluster.control_plane.gateway.envoy import mirrored_to

        mirror = f"httproute/{self.namespace}/flights-trimtab/rule/0-mirror-0"
        stable = f"service/{self.namespace}/{SERVICES[STABLE]}/80/http"
        canary = f"service/{self.namespace}/{SERVICES[CANDIDATE]}/80/http"
        if not merged:
            stable = canary = f"httproute/{self.namespace}/flights-trimtab/rule/0"
        clusters = dict.fromkeys((stable, canary, mirror), self._backend)
        self.proxies[address] = self._make_envoy(clusters, {"cluster": stable, **mirrored_to(mirror)})
        labels = {
            "gateway.envoyproxy.io/owning-gateway-name": "public",
            "gateway.envoyproxy.io/owning-gateway-namespace": self.namespace,
        }
        pod = self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"proxy-{address.replace('.', '-')}",
                    "namespace": self.namespace,
                    "labels": labels,
                },
                "spec": {"containers": [{"name": "envoy", "image": "envoy"}]},
            }
        )
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        self.cluster.write_status(
            {**pod, "status": {**status, "conditions": [{"type": "Ready", "status": "True"}]}}
        )

    def ask(self, address: str, requests: int, status: int = 200) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxies[address].port, timeout=10)
        for _ in range(requests):
            connection.request("GET", f"/{status}")
            assert connection.getresponse().read() is not None
        connection.close()

    def sent(self, split: Split = SHADOW, counts: EnvoyCounts | None = None) -> Any:
        self.now_s += 5
        return (counts or self.counts).sent(self.place, [ParentRef("public")], split, SERVICES)


@pytest.fixture
def world(cluster: Any, namespace: str, make_envoy: MakeEnvoy) -> Iterator[World]:
    server = Server(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield World(cluster, namespace, server.server_address[1], make_envoy)
    server.shutdown()
    server.server_close()


def settled(world: World, mirrored: int, split: Split = SHADOW) -> Any:
    """Copies end a moment after their requests."""
    from tests.cluster.kube.poll import eventually

    found: dict[str, Any] = {}

    def done() -> bool:
        found.update(world.sent(split))
        one = found.get(split.mirror or "")
        return one is not None and one.mirrored == mirrored and one.pending == 0

    eventually("the copies are counted", done)
    return found


def test_requests_failures_and_copies_are_those_that_were_sent_by_all_proxies(world: World):
    world.proxy("10.0.0.1")
    world.proxy("10.0.0.2")
    assert world.sent()[STABLE].requests == 0
    world.ask("10.0.0.1", 30)
    world.ask("10.0.0.2", 12, 503)
    found = settled(world, 42)
    assert (found[STABLE].requests, found[STABLE].failed, found[STABLE].mirrored) == (42, 12, 0)
    assert (found[CANDIDATE].requests, found[CANDIDATE].mirrored_failed) == (0, 12)
    assert found[STABLE].epoch == found[CANDIDATE].epoch
    assert world.fresh()._epoch != world.counts._epoch


def test_a_proxy_that_begins_anew_takes_nothing_away(world: World):
    world.proxy("10.0.0.1")
    world.sent()
    world.ask("10.0.0.1", 20)
    assert settled(world, 20)[STABLE].requests == 20
    world.proxies["10.0.0.1"].stop()
    world.proxies["10.0.0.1"].start()
    world.ask("10.0.0.1", 5)
    found = settled(world, 25)
    assert found[STABLE].requests == 25


def test_a_proxy_that_goes_takes_nothing_away(world: World):
    world.proxy("10.0.0.1")
    world.proxy("10.0.0.2")
    world.sent()
    world.ask("10.0.0.1", 20)
    assert settled(world, 20)[STABLE].requests == 20
    world.cluster.delete(POD, world.namespace, "proxy-10-0-0-1")
    from tests.cluster.kube.poll import eventually

    eventually(
        "the pod is gone",
        lambda: world.cluster.get(POD, world.namespace, "proxy-10-0-0-1") is None,
        10,
    )
    world.ask("10.0.0.2", 4)
    assert settled(world, 24)[STABLE].requests == 24


def test_a_copy_belongs_to_whom_the_route_copied_to_when_it_was_sent(world: World):
    world.proxy("10.0.0.1")
    world.sent()
    world.ask("10.0.0.1", 10)
    assert settled(world, 10)[CANDIDATE].mirrored == 10
    later = Split({STABLE: 100}, THIRD, 100)
    assert world.sent(later)[THIRD].mirrored == 0
    world.ask("10.0.0.1", 7)
    assert settled(world, 7, later)[THIRD].mirrored == 7


def test_what_is_copied_before_the_first_look_at_a_mirror_is_its_own(world: World):
    from tests.cluster.kube.poll import eventually

    world.proxy("10.0.0.1")
    whole, without = (
        world.fetch,
        EnvoyCounts(
            world.cluster,
            fetch=lambda address, port: "\n".join(
                line for line in world.fetch(address, port).splitlines() if "-mirror-" not in line
            ),
            clock_s=lambda: world.now_s,
        ),
    )
    assert world.sent(Split({STABLE: 100}), without)[STABLE].requests == 0
    world.ask("10.0.0.1", 10)
    without._fetch = whole  # the route's first mirror has come
    eventually("the copies are counted", lambda: world.sent(counts=without)[CANDIDATE].mirrored == 10)


def test_what_was_copied_before_this_process_is_nobodys(world: World):
    world.proxy("10.0.0.1")
    world.sent()
    world.ask("10.0.0.1", 10)
    settled(world, 10)
    another = world.fresh()
    assert world.sent(counts=another)[CANDIDATE].mirrored == 0


def test_a_proxy_that_does_not_answer_leaves_it_unknown_and_is_caught_up_with(world: World):
    world.proxy("10.0.0.1")
    world.proxy("10.0.0.2")
    world.sent()
    port = world.proxies["10.0.0.2"].admin
    world.ask("10.0.0.2", 3)
    world.proxies["10.0.0.2"].admin = 1
    assert world.sent() == {}
    world.proxies["10.0.0.2"].admin = port
    assert settled(world, 3)[STABLE].requests == 3


def test_without_a_cluster_for_each_service_nothing_is_known(world: World):
    world.proxy("10.0.0.1", merged=False)
    world.ask("10.0.0.1", 3)
    assert world.sent() == {}


def test_without_proxies_nothing_is_known(world: World):
    assert world.sent() == {}


def test_all_rollouts_share_a_read(world: World):
    world.proxy("10.0.0.1")
    world.sent()
    before = world.now_s
    world.proxies["10.0.0.1"].stop()
    other = Place(world.namespace, "other")
    again = world.counts.sent(other, [ParentRef("public")], SHADOW, SERVICES)
    assert world.now_s == before
    assert again[STABLE].requests == 0
