"""Requests that Envoy Gateway's proxies sent, from their own counters: one read every few seconds for all rollouts.

A counter starts at 0 with each proxy, and whenever no route has led to its Service for a while; so each is followed by
itself, pod by pod, and what it grew by is added up. The sums start with this process: its epoch.
"""

import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api.envoy_stats import Tally, of_mirror, of_service, tallies
from trimtab.adapters.gateway_api.route import named, route_name
from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.cluster import Cluster, Kind, Object
from trimtab.ports.gateway import Sent, Split

POD: Final = Kind("", "v1", "Pod", "pods")
STATS_PORT: Final = 19001
OWNER: Final = "gateway.envoyproxy.io/owning-gateway-name"
OWNER_NAMESPACE: Final = "gateway.envoyproxy.io/owning-gateway-namespace"
EVERY_S: Final = 5.0
WITHIN_S: Final = 2.0

Fetch = Callable[[str, int], str]
"""What the proxy at (pod address, port) tells Prometheus. Raises OSError."""


def fetch(address: str, port: int, within_s: float = WITHIN_S) -> str:
    host = f"[{address}]" if ":" in address else address
    with urllib.request.urlopen(f"http://{host}:{port}/stats/prometheus", timeout=within_s) as answer:
        text: str = answer.read().decode("utf-8", "replace")
        return text


@dataclass(slots=True)
class _Gateway:
    """
    Attributes:
        known: whether the last read was whole.
        last: of each proxy pod that is there, what it said last.
        total: over all pods and counters that were ever seen, so that it never falls.
    """

    read_s: float = float("-inf")
    known: bool = False
    last: dict[str, dict[str, Tally]] = field(default_factory=dict)
    total: dict[str, Tally] = field(default_factory=dict)


class EnvoyCounts:
    """gateway.Counts by the proxies of Envoy Gateway. Any thread may ask.

    Args:
        fetch: for an operator outside the cluster.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        fetch: Fetch = fetch,
        every_s: float = EVERY_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._fetch, self._every_s, self._clock_s = cluster, fetch, every_s, clock_s
        self._lock = threading.Lock()
        self._epoch = uuid4().hex[:8]
        self._gateways: dict[tuple[str, str], _Gateway] = {}
        self._copies: dict[tuple[str, str], _Copies] = {}

    def sent(
        self, place: Place, parents: Sequence[ParentRef], split: Split, services: Mapping[str, str]
    ) -> Mapping[str, Sent]:
        with self._lock:
            gateways = [self._read(one.namespace or place.namespace, one.name) for one in parents]
            if not all(gateway.known for gateway in gateways):
                return {}
            total, now = _over(gateways)
            copies = self._copied(place, split, total)
        found = {}
        for revision in named(split):
            service = of_service(total, place.namespace, services[revision])
            # A counter that no proxy has says nothing: the Service has no cluster of its own.
            alive = of_service(now, place.namespace, services[revision]) is not None
            if service is None or not alive:
                if split.weights.get(revision) or copies is None:
                    continue
                service = Tally()
            copied = (copies or {}).get(revision, Tally())
            found[revision] = Sent(
                self._epoch,
                service.completed,
                service.failed,
                copied.completed,
                copied.failed,
                service.pending + copied.pending,
            )
        main = max(split.weights, key=lambda name: split.weights[name])
        return found if main in found else {}

    def _read(self, namespace: str, name: str) -> _Gateway:
        gateway = self._gateways.setdefault((namespace, name), _Gateway())
        if self._clock_s() - gateway.read_s >= self._every_s:
            gateway.read_s = self._clock_s()
            gateway.known = self._ask(namespace, name, gateway)
        return gateway

    def _ask(self, namespace: str, name: str, gateway: _Gateway) -> bool:
        """Ask every proxy; whether each that is ready answered. One that did not is caught up with later."""
        try:
            pods = self._cluster.list(POD, "", {OWNER: name, OWNER_NAMESPACE: namespace})
        except (SurroundingsFailed, InputRefused):
            return False
        whole, last = bool(pods), {}
        for pod in pods:
            uid, status = str(pod["metadata"].get("uid", "")), pod.get("status") or {}
            before = last[uid] = gateway.last.get(uid, {})
            if not status.get("podIP") or status.get("phase") != "Running":
                continue
            try:
                said = last[uid] = tallies(self._fetch(str(status["podIP"]), STATS_PORT))
            except OSError:
                whole = whole and not _ready(pod)
                continue
            for cluster, count in said.items():
                grown = count.since(before.get(cluster, Tally()))
                held = gateway.total.get(cluster, Tally())
                gateway.total[cluster] = replace(held.plus(grown), pending=0)
        gateway.last = last
        return whole

    def _copied(self, place: Place, split: Split, total: Mapping[str, Tally]) -> Mapping[str, Tally] | None:
        """Copies by revision: what a route's mirrors sent while it was the mirror; None where there is no counter."""
        counted = of_mirror(total, place.namespace, route_name(place.rollout))
        key = place.namespace, place.rollout
        if counted is None:
            # Nothing was copied yet: all that will be is the first mirror's.
            self._copies.setdefault(key, _Copies(None, Tally()))
            return None
        mirror = split.mirror if split.mirror_percent else None
        held = self._copies.setdefault(key, _Copies(mirror, counted))
        if (whose := held.whose or mirror) is not None:
            # The first read after a change: what was copied until then is still the last one's.
            grown = counted.since(held.counted)
            held.shares[whose] = replace(held.shares.get(whose, Tally()).plus(grown), pending=counted.pending)
        held.whose, held.counted = mirror or held.whose, counted
        return held.shares


@dataclass(slots=True)
class _Copies:
    """What a route's mirrors sent, by the revision that was the mirror.

    Attributes:
        whose: the mirror, or the last one; None before the first.
        counted: what had been sent at the last read.
    """

    whose: str | None
    counted: Tally
    shares: dict[str, Tally] = field(default_factory=dict)


def _over(gateways: Sequence[_Gateway]) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """What all of them sent; and what their proxies say now."""
    total: dict[str, Tally] = {}
    now: dict[str, Tally] = {}
    for gateway in gateways:
        for said in gateway.last.values():
            for cluster, count in said.items():
                now[cluster] = now.get(cluster, Tally()).plus(count)
        for cluster, count in gateway.total.items():
            total[cluster] = total.get(cluster, Tally()).plus(count)
    waiting = {
        name: replace(one, pending=now[name].pending if name in now else 0) for name, one in total.items()
    }
    return waiting, now


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
