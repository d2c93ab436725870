"""The Gateway `public` that rollouts of these tests name, of a class that lists what a shadow needs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.ports.cluster import Cluster

NAMESPACE, NAME, CLASS = "gateways", "public", "played-public"
API = "gateway.networking.k8s.io/v1"
FEATURES = ("HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")


def public_gateway(cluster: "Cluster") -> None:
    """Make it, where it is not there yet."""
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    of_class = cluster.create(
        {
            "apiVersion": API,
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "example.com/played"},
        }
    )
    if of_class is not None:
        cluster.write_status({**of_class, "status": {"supportedFeatures": [{"name": n} for n in FEATURES]}})
    cluster.create(gateway(NAME))


def gateway(name: str, of_class: str = CLASS, routes_from: str = "All") -> dict[str, Any]:
    """Whose listener takes routes of "All" namespaces, or of the "Same" alone."""
    listener = {
        "name": "http", "port": 80, "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": routes_from}},
    }  # fmt: skip
    return {
        "apiVersion": API,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"gatewayClassName": of_class, "listeners": [listener]},
    }
