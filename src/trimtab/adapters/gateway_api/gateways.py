"""Gateways and what they can do, as the API server tells of them: read for all rollouts together, now and then."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from trimtab.adapters.gateway_api.kinds import GATEWAY, GATEWAY_CLASS, SERVICE
from trimtab.adapters.gateway_api.listeners import service_of
from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Cluster, Object, Refused

READ_FOR_S: Final = 600.0
AGAIN_AFTER_S: Final = 10.0
"""What is not there is looked for once in so long, whatever the number of rollouts that name it."""
NAME_LABELS: Final = ("gateway.networking.k8s.io/gateway-name", "gateway.envoyproxy.io/owning-gateway-name")


@dataclass(frozen=True, slots=True)
class KnownGateway:
    """A Gateway as it was read.

    Attributes:
        uid, generation: of the Gateway; what was proved of it holds for these.
        features: what its class lists; None where it lists nothing.
        service: (namespace, name) of the Service in front of it; None where that is not known.
    """

    held: Object
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
        again_s: how long one that is not there is not looked for again.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        again_s: float = AGAIN_AFTER_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._again_s, self._clock_s = cluster, again_s, clock_s
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], tuple[float, float, KnownGateway | None]] = {}

    def of(self, parent: ParentRef, namespace: str) -> KnownGateway | None:
        """What a parentRef of a route in `namespace` means; None where there is none, or it was never seen."""
        key = parent.namespace or namespace, parent.name
        with self._lock:
            read_s, for_s, found = self._held.get(key, (float("-inf"), 0.0, None))
        if self._clock_s() - read_s < for_s:
            return found
        # What cannot be asked is as it was.
        with suppress(SurroundingsFailed, Refused):
            found = self._read(*key)
        with self._lock:
            for_s = READ_FOR_S if found is not None else self._again_s
            self._held[key] = self._clock_s(), for_s, found
        return found

    def _read(self, namespace: str, name: str) -> KnownGateway | None:
        held = self._cluster.read(GATEWAY, namespace, name)
        if held is None:
            return None
        of_class = self._cluster.read(GATEWAY_CLASS, "", str(held["spec"].get("gatewayClassName", "")))
        meta = held["metadata"]
        return KnownGateway(
            held,
            str(meta.get("uid", "")),
            int(meta.get("generation", 0)),
            features(of_class),
            self._service(held),
        )

    def _service(self, gateway: Object) -> tuple[str, str] | None:
        found: list[Object] = []
        # Where the operator may not look, it is not known.
        with suppress(Refused):
            for label in NAME_LABELS:
                found += self._cluster.list(SERVICE, "", {label: gateway["metadata"]["name"]})
        return service_of(gateway, found)


def features(gateway_class: Object | None) -> frozenset[str] | None:
    """What a class says that its controller supports; None where it says nothing.

    >>> features({"status": {"supportedFeatures": [{"name": "HTTPRoute"}, "Gateway"]}}) == {"HTTPRoute", "Gateway"}
    True
    """
    status: Mapping[str, Any] = (gateway_class or {}).get("status") or {}
    listed: Sequence[Any] = status.get("supportedFeatures") or []
    found = frozenset(str(one["name"]) if isinstance(one, Mapping) else str(one) for one in listed)
    return found or None
