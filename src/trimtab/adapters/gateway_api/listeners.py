"""What a Gateway says of itself: its listeners, its address, and which hosts it takes: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Object


@dataclass(frozen=True, slots=True)
class Listener:
    """Attributes:
    hostname: what it takes; "" for every host.
    tls: whether callers must speak TLS.
    """

    name: str
    hostname: str
    port: int
    tls: bool

    def takes(self, host: str) -> bool:
        """Whether a request for `host` is its own.

        >>> Listener("web", "*.example.com", 80, False).takes("models.example.com")
        True
        """
        if self.hostname.startswith("*."):
            return host.endswith(self.hostname[1:]) and host != self.hostname[2:]
        return self.hostname in ("", host)


def listeners(gateway: Object, parent: ParentRef) -> list[Listener]:
    """Those that a parentRef means and that HTTP is spoken to."""
    found = []
    for one in (gateway.get("spec") or {}).get("listeners") or []:
        if one.get("protocol") not in ("HTTP", "HTTPS"):
            continue
        if parent.section and one["name"] != parent.section:
            continue
        if parent.port is not None and one["port"] != parent.port:
            continue
        found.append(
            Listener(one["name"], one.get("hostname", ""), int(one["port"]), one["protocol"] == "HTTPS")
        )
    return found


def origin(host: str, listener: Listener | None) -> str:
    """How callers begin a URL of `host`.

    >>> origin("a.example.com", Listener("https", "", 443, True)), origin("b.example.com", None)
    ('https://a.example.com', 'http://b.example.com')
    >>> origin("a.example.com", Listener("web", "", 8080, False))
    'http://a.example.com:8080'
    """
    if listener is None:
        return f"http://{host}"
    scheme, usual = ("https", 443) if listener.tls else ("http", 80)
    return f"{scheme}://{host}" + ("" if listener.port == usual else f":{listener.port}")


def addresses(gateway: Object) -> list[str]:
    """Where it is reached, as its controller says."""
    return [str(one["value"]) for one in (gateway.get("status") or {}).get("addresses") or []]


def service_of(gateway: Object, services: Sequence[Object]) -> tuple[str, str] | None:
    """(namespace, name) of the Service that leads to a Gateway, by the labels that controllers put on it."""
    meta = gateway["metadata"]
    for one in services:
        labels: Mapping[str, Any] = one["metadata"].get("labels") or {}
        same_place = one["metadata"]["namespace"] == meta["namespace"]
        if labels.get("gateway.networking.k8s.io/gateway-name") == meta["name"] and same_place:
            return one["metadata"]["namespace"], one["metadata"]["name"]
        if (
            labels.get("gateway.envoyproxy.io/owning-gateway-name") == meta["name"]
            and labels.get("gateway.envoyproxy.io/owning-gateway-namespace") == meta["namespace"]
        ):
            return one["metadata"]["namespace"], one["metadata"]["name"]
    return None
