"""The kinds that the Gateway API's adapter reads and writes."""

from typing import Final

from trimtab.ports.cluster import Kind

HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
GATEWAY: Final = Kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
GATEWAY_CLASS: Final = Kind(
    "gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", namespaced=False
)
SERVICE: Final = Kind("", "v1", "Service", "services")

WATCHED: Final = (HTTP_ROUTE,)
"""Read from a cache, all of them: an older route of another takes our requests. The rest is read when it is needed."""
