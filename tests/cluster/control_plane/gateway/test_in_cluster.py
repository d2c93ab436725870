"""Service `<rollout>` against a real API server: made, kept, left to others, taken away."""

from typing import Any

import pytest

from tests.cluster.control_plane.gateway.conftest import MakeGateway
from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import GatewayApi, Gateways, ParentRef, RouteSpec
from trimtab.adapters.gateway_api.kinds import SERVICE

PARENT = ParentRef("public")


def gateway_of(cluster: Any, namespace: str, *, in_cluster: bool = True) -> GatewayApi:
    return GatewayApi(
        cluster,
        Place(namespace, "flights", "uid"),
        RouteSpec((PARENT,), ("models.example.com",), "flights", in_cluster=in_cluster),
        backend=lambda revision: None,
        gateways=Gateways(cluster),
    )


def fact(gateway: GatewayApi) -> tuple[str, str, str]:
    gateway.in_cluster()
    found = next(one for one in gateway.facts() if one.type == "InClusterAddress")
    return found.status, found.reason, found.message


@pytest.fixture
def in_front(cluster: Any, namespace: str) -> str:
    """The Service that a gateway's controller makes."""
    name = "envoy-public-1a2b3c4d"
    labels = {
        "gateway.envoyproxy.io/owning-gateway-name": "public",
        "gateway.envoyproxy.io/owning-gateway-namespace": namespace,
    }
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "envoy"}},
        }
    )
    return name


def test_a_service_leads_to_the_gateway(
    cluster: Any, namespace: str, make_gateway: MakeGateway, in_front: str
):
    make_gateway()
    assert fact(gateway_of(cluster, namespace)) == (
        "True",
        "LeadsToGateway",
        f"http://flights.{namespace}.svc",
    )
    made = cluster.read(SERVICE, namespace, "flights")
    assert made["spec"]["type"] == "ExternalName"
    assert made["spec"]["externalName"] == f"{in_front}.{namespace}.svc.cluster.local"
    assert made["metadata"]["ownerReferences"][0]["kind"] == "ModelRollout"

    gateway_of(cluster, namespace).in_cluster()
    again = cluster.read(SERVICE, namespace, "flights")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    cluster.merge(SERVICE, namespace, "flights", {"spec": {"externalName": "elsewhere.example.com"}})
    gateway_of(cluster, namespace).in_cluster()
    mended = cluster.read(SERVICE, namespace, "flights")
    assert mended["spec"]["externalName"] == made["spec"]["externalName"]

    off = gateway_of(cluster, namespace, in_cluster=False)
    assert fact(off)[:2] == ("False", "NotWished")
    assert cluster.read(SERVICE, namespace, "flights") is None


def test_one_that_somebody_edits_or_deletes_is_there_again_at_the_next_look(
    cluster: Any, namespace: str, make_gateway: MakeGateway, in_front: str
):
    make_gateway()
    gateway = gateway_of(cluster, namespace)
    gateway.in_cluster()
    made = cluster.read(SERVICE, namespace, "flights")
    cluster.merge(SERVICE, namespace, "flights", {"spec": {"externalName": "elsewhere.example.com"}})
    gateway.in_cluster()
    assert cluster.read(SERVICE, namespace, "flights")["spec"] == made["spec"]
    cluster.delete(SERVICE, namespace, "flights")
    gateway.in_cluster()
    assert cluster.read(SERVICE, namespace, "flights")["spec"] == made["spec"]


def test_a_service_of_another_is_left_as_it_is(
    cluster: Any, namespace: str, make_gateway: MakeGateway, in_front: str
):
    make_gateway()
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "flights", "namespace": namespace},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}},
        }
    )
    before = cluster.read(SERVICE, namespace, "flights")
    assert fact(gateway_of(cluster, namespace))[:2] == ("False", "NameTaken")
    assert fact(gateway_of(cluster, namespace, in_cluster=False))[:2] == ("False", "NotWished")
    assert cluster.read(SERVICE, namespace, "flights") == before


@pytest.mark.parametrize("more", [{"hostname": "*.example.com"}, {"protocol": "HTTPS", "port": 443}])
def test_a_gateway_that_takes_no_host_of_ours_is_not_led_to(
    cluster: Any, namespace: str, make_gateway: MakeGateway, in_front: str, more: Any
):
    make_gateway(**more)
    assert fact(gateway_of(cluster, namespace))[:2] == ("False", "NoListener")
    assert cluster.read(SERVICE, namespace, "flights") is None


def test_without_a_known_service_of_the_gateway_there_is_none(
    cluster: Any, namespace: str, make_gateway: MakeGateway
):
    make_gateway()
    assert fact(gateway_of(cluster, namespace))[:2] == ("False", "NoService")


def test_without_a_gateway_there_is_none(cluster: Any, namespace: str, gateway_api_crds: None):
    assert fact(gateway_of(cluster, namespace))[:2] == ("False", "NoGateway")


@pytest.mark.parametrize(
    ("listener", "url"),
    [
        ({}, "http://models.example.com/v2/models/flights"),
        ({"port": 8080}, "http://models.example.com:8080/v2/models/flights"),
        ({"port": 443, "protocol": "HTTPS"}, "https://models.example.com/v2/models/flights"),
        ({"port": 8443, "protocol": "HTTPS"}, "https://models.example.com:8443/v2/models/flights"),
        (
            {"port": 8443, "protocol": "HTTPS", "hostname": "*.example.org"},
            "http://models.example.com/v2/models/flights",
        ),
    ],
    ids=["http", "a port of its own", "https", "https at a port of its own", "another host's listener"],
)
def test_the_address_is_of_the_listener_that_takes_the_host(
    cluster: Any, namespace: str, make_gateway: MakeGateway, listener: dict[str, Any], url: str
):
    make_gateway(**listener)
    assert gateway_of(cluster, namespace).url() == url


def test_without_a_host_of_its_own_there_is_no_address(cluster: Any, namespace: str):
    for hostnames in ((), ("*.example.com",)):
        gateway = gateway_of(cluster, namespace)
        gateway.respec(Place(namespace, "flights", "uid"), RouteSpec((PARENT,), hostnames, "flights"))
        assert gateway.url() == ""
