"""ports.Gateway over the Gateway API: one HTTPRoute a ModelRollout, which any conformant gateway carries out."""

from trimtab.adapters.gateway_api.conflicts import Rivals
from trimtab.adapters.gateway_api.gateway import GatewayApi
from trimtab.adapters.gateway_api.gateways import Gateways
from trimtab.adapters.gateway_api.mirrorings import Mirrorings
from trimtab.adapters.gateway_api.probe import Arrived
from trimtab.adapters.gateway_api.spec import ParentRef, RouteSpec

__all__ = ["Arrived", "GatewayApi", "Gateways", "Mirrorings", "ParentRef", "Rivals", "RouteSpec"]
