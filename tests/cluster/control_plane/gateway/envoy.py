"""A real Envoy that does what a test asks of a gateway: it leads to backends, and copies, or does not."""

import json
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.adapters.processes.loopback import reserve

ANY = "type.googleapis.com/"
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    return {
        "name": name,
        "connect_timeout": "60s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


@dataclass
class Envoy:
    """One proxy, whose listener sends by `route` (an Envoy RouteAction).

    Attributes:
        clusters: port by name.
    """

    folder: Path
    clusters: Mapping[str, int]
    route: Mapping[str, Any]
    port: int = field(init=False)
    admin: int = field(init=False)
    child: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._reserved = [reserve("envoy"), reserve("envoy's admin")]
        self.port, self.admin = (held.port for held in self._reserved)

    def start(self) -> "Envoy":
        from trimtab.adapters.envoy.bootstrap import binary

        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "envoy.json"
        path.write_text(json.dumps(self._bootstrap()))
        command = [str(binary()), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
        with (self.folder / "log").open("ab") as log:
            self.child = subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        self.child.kill()
        self.child.wait()

    def _bootstrap(self) -> dict[str, Any]:
        manager = {
            "@type": f"{ANY}{HCM}",
            "stat_prefix": "test",
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": dict(self.route)}],
                    }
                ]
            },
            "http_filters": [
                {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{ANY}{ROUTER}"}}
            ],
        }
        filters = [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]
        return {
            "admin": {"address": _at(self.admin)},
            "static_resources": {
                "listeners": [
                    {"name": "test", "address": _at(self.port), "filter_chains": [{"filters": filters}]}
                ],
                "clusters": [cluster(name, port) for name, port in self.clusters.items()],
            },
        }


def mirrored_to(name: str) -> dict[str, Any]:
    """Part of a RouteAction: every request is copied to a cluster."""
    return {"request_mirror_policies": [{"cluster": name}]}


def _at(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
