"""A Gateway of a class of its own on a real API server, and a real Envoy with a real collector behind it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.gateway.envoy import Envoy

MakeGateway = Callable[..., str]
MakeEnvoy = Callable[[Mapping[str, int], Mapping[str, Any]], "Envoy"]


@pytest.fixture
def make_gateway(cluster: Any, namespace: str, gateway_api_crds: None) -> Iterator[MakeGateway]:
    """`make_gateway(features=…, port=…, hostname=…)`: a Gateway `public` in the test's namespace; its class's name."""
    from trimtab.adapters.gateway_api.kinds import GATEWAY_CLASS

    name = f"played-{uuid4().hex[:8]}"

    def make(*, features: Any = None, port: int = 80, hostname: str = "", protocol: str = "HTTP") -> str:
        api = "gateway.networking.k8s.io/v1"
        made = cluster.create(
            {
                "apiVersion": api,
                "kind": "GatewayClass",
                "metadata": {"name": name},
                "spec": {"controllerName": "example.com/played"},
            }
        )
        if features is not None:
            status = {"supportedFeatures": [{"name": one} for one in sorted(features)]}
            cluster.write_status({**made, "status": status})
        listener = {"name": "http", "port": port, "protocol": protocol}
        if protocol == "HTTPS":
            listener["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": "public"}]}
        gateway = cluster.create(
            {
                "apiVersion": api,
                "kind": "Gateway",
                "metadata": {"name": "public", "namespace": namespace},
                "spec": {
                    "gatewayClassName": name,
                    "listeners": [listener | ({"hostname": hostname} if hostname else {})],
                },
            }
        )
        addresses = [{"type": "IPAddress", "value": "127.0.0.1"}]
        cluster.write_status({**gateway, "status": {"addresses": addresses}})
        return name

    yield make
    cluster.delete(GATEWAY_CLASS, "", name)


@pytest.fixture
def make_envoy(tmp_path: Path) -> Iterator[MakeEnvoy]:
    from tests.cluster.control_plane.gateway.envoy import Envoy

    running: list[Envoy] = []

    def make(clusters: Mapping[str, int], route: Mapping[str, Any]) -> Envoy:
        running.append(Envoy(tmp_path / f"envoy-{len(running)}", clusters, route).start())
        return running[-1]

    yield make
    for one in running:
        one.stop()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Any]:
    """A real collector's process."""
    from tests.contract.collector.collector_process import Process

    process = Process(tmp_path / "collector").start()
    yield process
    process.kill()
    assert process.child.stderr is not None
    process.child.stderr.close()
    process.reserved.close()
