"""The Gateway `public` that rollouts of these tests name, of a class that lists what a shadow needs."""

from typing import TYPE_CHECKING

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
    cluster.create(
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "gatewayClassName": CLASS,
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            },
        }
    )
