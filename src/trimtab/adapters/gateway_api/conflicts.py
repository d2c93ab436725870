"""Another route that takes our requests: same gateway, host and match. The older one wins, says the Gateway API."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.spec import ParentRef
from trimtab.ports.cluster import Cluster, Object

COMPARED_FOR_S: Final = 60.0
"""All routes of the cluster are gone through at most so often, once for all who ask."""
NEW_AFTER_S: Final = 1.0
"""Sooner for a route that was not there yet."""


class Claim(NamedTuple):
    """A route that takes requests, and since when; the least is the one that gets them."""

    created: str
    namespace: str
    name: str
    uid: str


Taken = tuple[tuple[str, str], str, str]
"""(namespace and name of a gateway, a host, a match as text)."""


class Rivals:
    """Who takes which requests, of all routes of a cluster. Any thread may ask.

    Args:
        clock_s: monotonic.
    """

    def __init__(self, cluster: Cluster, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._cluster, self._clock_s = cluster, clock_s
        self._taken: Mapping[Taken, Sequence[Claim]] = {}
        self._known: frozenset[tuple[str, int]] = frozenset()
        self._seen_s = -COMPARED_FOR_S
        self._lock = Lock()

    def older(self, ours: Object, parents: Sequence[ParentRef]) -> list[str]:
        """`<namespace>/<name>` of each route that wins over ours for a host and a match, oldest first."""
        return self.winning(ours, *claimed(ours, parents))

    def winning(self, ours: Object, own: Claim, wanted: frozenset[Taken]) -> list[str]:
        """The same, of what `claimed` has found."""
        with self._lock:
            age_s = self._clock_s() - self._seen_s
            if age_s >= COMPARED_FOR_S or (_version(ours) not in self._known and age_s >= NEW_AFTER_S):
                self._look()
            taken = self._taken
        winning = {
            rival for one in wanted for rival in taken.get(one, ()) if rival < own and rival.uid != own.uid
        }
        return [f"{rival.namespace}/{rival.name}" for rival in sorted(winning)]

    def _look(self) -> None:
        taken: dict[Taken, list[Claim]] = defaultdict(list)
        routes = self._cluster.list(HTTP_ROUTE, "")
        for route in routes:
            for one in _takes(route, set(_parents(route))):
                taken[one].append(_claim(route))
        self._taken, self._known = taken, frozenset(map(_version, routes))
        self._seen_s = self._clock_s()


def claimed(ours: Object, parents: Sequence[ParentRef]) -> tuple[Claim, frozenset[Taken]]:
    """Who we are among routes, and what we take."""
    own = _claim(ours)
    named = {(parent.namespace or own.namespace, parent.name) for parent in parents}
    return own, frozenset(_takes(ours, named))


def _claim(held: Object) -> Claim:
    meta = held["metadata"]
    created = str(meta.get("creationTimestamp") or "9999")
    return Claim(created, meta["namespace"], meta["name"], str(meta.get("uid", "")))


def _version(held: Object) -> tuple[str, int]:
    meta = held["metadata"]
    return str(meta.get("uid", "")), int(meta.get("generation", 0))


def _takes(held: Object, parents: set[tuple[str, str]]) -> Iterator[Taken]:
    spec = held.get("spec") or {}
    matches = {json.dumps(one, sort_keys=True) for one in _matches(spec)}
    for parent in parents:
        for host in set(spec.get("hostnames") or ["*"]):
            for match in matches:
                yield parent, host, match


def _parents(held: Object) -> Iterator[tuple[str, str]]:
    here = held["metadata"]["namespace"]
    for ref in (held.get("spec") or {}).get("parentRefs") or []:
        yield ref.get("namespace", here), ref["name"]


def _matches(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each match as the API server stores it, without what stands for nothing."""
    found = [one for rule in spec.get("rules") or [] for one in rule.get("matches") or [{}]]
    every = {"type": "PathPrefix", "value": "/"}
    return [{"path": every, **{key: value for key, value in one.items() if value}} for one in found]
