"""Gateways and what they can do, as the API server tells of them; the Service in front of one is looked for, now and
then, for all rollouts together."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from trimtab.adapters.gateway_api.kinds import GATEWAY, GATEWAY_CLASS, SERVICE
from trimtab.adapters.gateway_api.listeners import addresses, service_of
from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Cluster, Object, Refused

LOOKED_FOR_S: Final = 600.0
"""A Service is looked for again after so long, or once its Gateway says something new of how it is reached."""
NAME_LABELS: Final = ("gateway.networking.k8s.io/gateway-name", "gateway.envoyproxy.io/owning-gateway-name")


@dataclass(frozen=True, slots=True)
class KnownGateway:
    """A Gateway as it was read; two of one generation differ only in what is known beside it.

    Attributes:
        held: its status grows with each route that attaches.
        uid, generation: of the Gateway; what was proved of it holds for these.
        features: what its class lists; None where it lists nothing.
        service: (namespace, name) of the Service in front of it; None where that is not known.
    """

    held: Object = field(compare=False)
    uid: str
    generation: int
    features: frozenset[str] | None
    service: tuple[str, str] | None

    @property
    def name(self) -> str:
        return f"{self.held['metadata']['namespace']}/{self.held['metadata']['name']}"


class Gateways:
    """Those that routes name. Any thread may ask.

    Args:
        cluster: watches Gateways and their classes, so that to ask for them costs nothing.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._clock_s = cluster, clock_s
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], KnownGateway] = {}
        self._services: dict[str, tuple[float, object, tuple[str, str] | None]] = {}

    def of(self, parent: ParentRef, namespace: str) -> KnownGateway | None:
        """What a parentRef of a route in `namespace` means; None where there is none, or it was never seen."""
        key = parent.namespace or namespace, parent.name
        # What cannot be asked is as it was.
        with suppress(SurroundingsFailed, Refused):
            found = self._known(*key)
            with self._lock:
                if found is None:
                    self._held.pop(key, None)
                else:
                    self._held[key] = found
        with self._lock:
            return self._held.get(key)

    def _known(self, namespace: str, name: str) -> KnownGateway | None:
        held = self._cluster.get(GATEWAY, namespace, name)
        if held is None:
            return None
        of_class = self._cluster.get(GATEWAY_CLASS, "", str(held["spec"].get("gatewayClassName", "")))
        meta = held["metadata"]
        uid, generation = str(meta.get("uid", "")), int(meta.get("generation", 0))
        return KnownGateway(held, uid, generation, features(of_class), self._service(held, uid))

    def _service(self, gateway: Object, uid: str) -> tuple[str, str] | None:
        says = said(gateway)
        with self._lock:
            looked_s, known, service = self._services.get(uid, (float("-inf"), None, None))
        if known == says and self._clock_s() - looked_s < LOOKED_FOR_S:
            return service
        found: list[Object] = []
        # Where the operator may not look, it is not known.
        with suppress(Refused):
            for label in NAME_LABELS:
                found += self._cluster.list(SERVICE, "", {label: gateway["metadata"]["name"]})
        service = service_of(gateway, found)
        with self._lock:
            self._services[uid] = self._clock_s(), says, service
        return service


def said(gateway: Object) -> object:
    """What a Gateway's controller says of how it is reached; routes that attach change nothing."""
    held = (gateway.get("status") or {}).get("conditions") or []
    conditions = sorted((str(one["type"]), str(one["status"])) for one in held)
    return gateway["metadata"].get("generation"), addresses(gateway), conditions


def features(gateway_class: Object | None) -> frozenset[str] | None:
    """What a class says that its controller supports; None where it says nothing.

    >>> features({"status": {"supportedFeatures": [{"name": "HTTPRoute"}, "Gateway"]}}) == {"HTTPRoute", "Gateway"}
    True
    """
    status: Mapping[str, Any] = (gateway_class or {}).get("status") or {}
    listed: Sequence[Any] = status.get("supportedFeatures") or []
    found = frozenset(str(one["name"]) if isinstance(one, Mapping) else str(one) for one in listed)
    return found or None
