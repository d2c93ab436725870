"""ports.Gateway over the Gateway API: one HTTPRoute a ModelRollout, which any conformant gateway carries out."""

from trimtab.adapters.gateway_api.gateway import GatewayApi
from trimtab.adapters.gateway_api.spec import ParentRef, RouteSpec

__all__ = ["GatewayApi", "ParentRef", "RouteSpec"]
