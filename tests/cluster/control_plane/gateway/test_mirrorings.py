"""Does a gateway copy requests? Asked of its class, else shown by marked requests through a real Envoy."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.control_plane.gateway.conftest import MakeEnvoy, MakeGateway
from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import Arrived, GatewayApi, Gateways, Mirrorings, ParentRef, RouteSpec
from trimtab.adapters.gateway_api.kinds import GATEWAY, HTTP_ROUTE
from trimtab.adapters.gateway_api.mirrorings import GIVE_UP_S, LEFT_AFTER_S, MIRROR, NO_FOR_S, PERCENTAGE
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import Mirroring, RouteRefused, Split

PARENT = ParentRef("public")
SPEC = RouteSpec((PARENT,), ("models.example.com",), "flights")


@dataclass
class World:
    cluster: Any
    namespace: str
    collector: Any
    now_s: float = 0.0
    counts_lost: bool = False

    def __post_init__(self) -> None:
        self.gateways = Gateways(self.cluster, clock_s=lambda: self.now_s)
        self.mirrorings = Mirrorings(
            self.cluster, self.gateways, count=self.count, clock_s=lambda: self.now_s
        )
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "trimtab-collector", "namespace": self.namespace},
                "spec": {"ports": [{"name": "http", "port": 80}], "selector": {"app": "collector"}},
            }
        )

    def count(self, namespace: str, nonce: str) -> Arrived:
        from trimtab.adapters.collector import Collector

        assert namespace == self.namespace
        return Arrived(**Collector(self.collector.address).probed("" if self.counts_lost else nonce))

    def gateway(self, rollout: str = "flights") -> GatewayApi:
        return GatewayApi(
            self.cluster,
            Place(self.namespace, rollout, "uid"),
            SPEC,
            backend=lambda revision: None,
            gateways=self.gateways,
            mirrorings=self.mirrorings,
            clock_s=lambda: self.now_s,
        )

    def probe_route(self, rollout: str = "flights") -> Any:
        return self.cluster.get(HTTP_ROUTE, self.namespace, f"{rollout}-trimtab-probe")

    def accept(self, rollout: str = "flights", reason: str = "") -> None:
        held = self.probe_route(rollout)
        conditions = [
            {
                "type": kind,
                "status": "False" if reason and kind == "Accepted" else "True",
                "reason": reason or kind,
                "message": "",
                "observedGeneration": held["metadata"]["generation"],
                "lastTransitionTime": "2026-11-01T00:00:00Z",
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
        told = {"parentRef": PARENT.to_json(), "controllerName": "example.com/p", "conditions": conditions}
        self.cluster.write_status({**held, "status": {"parents": [told]}})

    def look(self, gateway: GatewayApi, seconds: float = 10.0) -> Mirroring:
        """As a reconcile that waits for a shadow does."""
        self.now_s += seconds
        gateway.mend()
        if gateway.mirroring("").supported is None:
            gateway.probe("", "aaaa1111", "bbbb2222")
        return gateway.mirroring("")


def facts(gateway: GatewayApi) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in gateway.facts()}


@pytest.fixture
def world(cluster: Any, namespace: str, collector: Any, gateway_api_crds: None) -> World:
    return World(cluster, namespace, collector)


def test_a_class_that_lists_mirrors_is_believed(world: World, make_gateway: MakeGateway):
    make_gateway(features={"HTTPRoute", MIRROR})
    gateway = world.gateway()
    assert world.look(gateway) == Mirroring(True)
    assert facts(gateway)["MirrorSupported"] == ("True", "SupportedFeatures")
    assert facts(gateway)["PairingSupported"] == ("Unknown", "NotProbed")
    assert world.probe_route() is None
    with pytest.raises(RouteRefused, match=PERCENTAGE):
        gateway.apply("", Split({"aaaa1111": 100}, "bbbb2222", 30))


def test_a_class_that_lists_features_without_mirrors_has_none(world: World, make_gateway: MakeGateway):
    name = make_gateway(features={"HTTPRoute"})
    gateway = world.gateway()
    found = world.look(gateway)
    assert found.supported is False
    assert MIRROR in found.because
    assert facts(gateway)["MirrorSupported"] == ("False", "SupportedFeatures")
    assert name


def test_a_gateway_that_is_not_there_is_unknown(world: World):
    gateway = world.gateway()
    assert world.look(gateway).supported is None
    assert facts(gateway)["MirrorSupported"] == ("Unknown", "NoGateway")


def test_marked_requests_show_that_a_gateway_copies_with_the_same_id(
    world: World, make_gateway: MakeGateway, make_envoy: MakeEnvoy
):
    from tests.cluster.control_plane.gateway.envoy import mirrored_to

    ports = {"main": world.collector.port, "copy": world.collector.port}
    envoy = make_envoy(ports, {"cluster": "main", **mirrored_to("copy")})
    make_gateway(port=envoy.port)
    first, second = world.gateway(), world.gateway("other")
    assert facts(first)["MirrorSupported"] == ("Unknown", "NotListed")
    assert world.look(first).supported is None
    route = world.probe_route()
    (rule,) = route["spec"]["rules"]
    assert rule["filters"][0]["requestMirror"]["backendRef"]["name"] == "trimtab-collector"
    assert rule["matches"][0]["path"]["type"] == "Exact"
    assert "models.example.com" in route["spec"]["hostnames"]
    assert world.look(first).supported is None, "it was not accepted yet"
    assert facts(first)["MirrorSupported"] == ("Unknown", "Probing")
    world.accept()
    world.look(second)
    assert world.probe_route("other") is None, "one rollout at a time"
    found = until_known(world, first)
    assert found == Mirroring(True, True)
    assert world.probe_route() is None
    assert facts(first)["MirrorSupported"] == ("True", "Probed")
    assert facts(first)["PairingSupported"] == ("True", "Probed")
    assert second.mirroring("") == Mirroring(True, True)


def test_marked_requests_show_that_a_gateway_copies_nothing(
    world: World, make_gateway: MakeGateway, make_envoy: MakeEnvoy
):
    envoy = make_envoy({"main": world.collector.port}, {"cluster": "main"})
    make_gateway(port=envoy.port)
    gateway = world.gateway()
    world.look(gateway)
    world.accept()
    found = until_known(world, gateway)
    assert found.supported is False
    assert "no copy" in found.because
    assert facts(gateway)["MirrorSupported"] == ("False", "Probed")
    assert facts(gateway)["PairingSupported"] == ("Unknown", "NotProbed")
    assert world.probe_route() is None
    world.now_s += NO_FOR_S
    assert gateway.mirroring("").supported is None, "a no is asked again some day"


def test_a_gateway_that_refuses_a_route_with_a_copy_has_none(world: World, make_gateway: MakeGateway):
    make_gateway()
    gateway = world.gateway()
    world.look(gateway)
    world.accept(reason="UnsupportedValue")
    assert world.look(gateway).supported is False


def test_what_was_shown_holds_for_one_generation_of_the_gateway(
    world: World, make_gateway: MakeGateway, make_envoy: MakeEnvoy
):
    envoy = make_envoy({"main": world.collector.port}, {"cluster": "main"})
    make_gateway(port=envoy.port)
    gateway = world.gateway()
    world.look(gateway)
    world.accept()
    assert until_known(world, gateway).supported is False
    listeners = [{"name": "http", "port": envoy.port, "protocol": "HTTP", "hostname": "*.example.com"}]
    world.cluster.merge(GATEWAY, world.namespace, "public", {"spec": {"listeners": listeners}})
    assert gateway.mirroring("").supported is None


def test_counts_that_the_collector_lost_begin_anew(
    world: World, make_gateway: MakeGateway, make_envoy: MakeEnvoy
):
    envoy = make_envoy({"main": world.collector.port}, {"cluster": "main"})
    make_gateway(port=envoy.port)
    gateway = world.gateway()
    world.look(gateway)
    before = world.probe_route()["spec"]["rules"][0]["matches"]
    world.accept()
    world.counts_lost = True
    world.look(gateway)
    world.counts_lost = False
    world.look(gateway)
    assert world.probe_route()["spec"]["rules"][0]["matches"] != before
    world.accept()
    assert until_known(world, gateway).supported is False


def test_what_cannot_be_probed_ends_as_no_with_the_reason(world: World, make_gateway: MakeGateway):
    from trimtab.adapters.processes.loopback import reserve

    unanswered = reserve("nobody")
    port = unanswered.port
    make_gateway(port=port)
    gateway = world.gateway()
    world.look(gateway)
    world.accept()
    world.look(gateway)
    assert f"127.0.0.1:{port} cannot be reached" in gateway.mirroring("").because
    for _ in range(4):
        found = world.look(gateway, GIVE_UP_S / 4)
    assert found.supported is False
    assert f"127.0.0.1:{port} cannot be reached" in found.because
    assert world.probe_route() is None
    unanswered.close()


def test_a_trial_that_is_left_is_tidied_and_another_rollout_goes_on(world: World, make_gateway: MakeGateway):
    make_gateway()
    first, second = world.gateway(), world.gateway("other")
    world.look(first)
    world.now_s += LEFT_AFTER_S
    first.mend()
    assert world.probe_route() is None
    world.look(second)
    assert world.probe_route("other") is not None


def test_a_collector_that_cannot_be_asked_is_no_trouble_of_the_rollout(
    world: World, make_gateway: MakeGateway, make_envoy: MakeEnvoy
):
    envoy = make_envoy({"main": world.collector.port}, {"cluster": "main"})
    make_gateway(port=envoy.port)

    def down(namespace: str, nonce: str) -> Arrived:
        raise SurroundingsFailed("the collector is away", remedy="wait")

    world.mirrorings = Mirrorings(world.cluster, world.gateways, count=down, clock_s=lambda: world.now_s)
    gateway = world.gateway()
    world.look(gateway)
    world.accept()
    world.look(gateway)
    assert "the collector is away" in gateway.mirroring("").because


def until_known(world: World, gateway: GatewayApi) -> Mirroring:
    """Copies arrive a moment after their requests: a few looks."""
    for _ in range(6):
        found = world.look(gateway)
        if found.supported is not None:
            return found
    raise AssertionError(gateway.mirroring("").because)
