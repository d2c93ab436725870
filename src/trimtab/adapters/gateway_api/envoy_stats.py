"""Counters of an Envoy proxy, from what it tells Prometheus: pure.

With `mergeBackends`, Envoy Gateway keeps one Envoy cluster for each backend Service, whatever routes lead to it,
`service/<namespace>/<service>/<port>…`, and one for each mirror, `httproute/<namespace>/<route>/rule/<i>-mirror-<j>`.
Without it there is no cluster of a Service: then shares cannot be told from the proxy's counters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(
    r"^envoy_cluster_upstream_rq_(completed|xx|active|pending_active)\{([^}]*)\} (\d+)", re.MULTILINE
)
_CLUSTER: Final = re.compile(r'envoy_cluster_name="([^"]*)"')
_CLASS: Final = re.compile(r'envoy_response_code_class="(\d)"')


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of one Envoy cluster.

    Attributes:
        completed: answered in any way, or given up.
        succeeded: those answered by 2xx.
        pending: on their way.
    """

    completed: int = 0
    succeeded: int = 0
    pending: int = 0

    @property
    def failed(self) -> int:
        # The two are not read in one moment.
        return max(0, self.completed - self.succeeded)

    def plus(self, other: "Tally") -> "Tally":
        return Tally(
            self.completed + other.completed, self.succeeded + other.succeeded, self.pending + other.pending
        )

    def since(self, before: "Tally") -> "Tally":
        """What came after `before`; all of it where the counters have begun anew."""
        if self.completed < before.completed or self.succeeded < before.succeeded:
            return self
        return Tally(self.completed - before.completed, self.succeeded - before.succeeded, self.pending)


def tallies(text: str) -> dict[str, Tally]:
    """By Envoy cluster: those of Services and of routes.

    >>> tallies('envoy_cluster_upstream_rq_completed{envoy_cluster_name="service/a/b/80/http"} 7')
    {'service/a/b/80/http': Tally(completed=7, succeeded=0, pending=0)}
    """
    found: dict[str, Tally] = {}
    for what, labels, value in _LINE.findall(text):
        named = _CLUSTER.search(labels)
        if named is None or not named[1].startswith(("service/", "httproute/")):
            continue
        count = int(value)
        if what == "completed":
            one = Tally(completed=count)
        elif what == "xx":
            of_class = _CLASS.search(labels)
            one = Tally(succeeded=count if of_class is not None and of_class[1] == "2" else 0)
        else:
            one = Tally(pending=count)
        found[named[1]] = found.get(named[1], Tally()).plus(one)
    return found


def of_service(counted: Mapping[str, Tally], namespace: str, service: str) -> Tally | None:
    """What routes sent to a Service, by any of its ports; None where no cluster is its own."""
    return _sum(counted, re.compile(rf"service/{re.escape(namespace)}/{re.escape(service)}/.*"))


def of_mirror(counted: Mapping[str, Tally], namespace: str, route: str) -> Tally | None:
    """Copies that a route's mirrors sent; None where it has none."""
    return _sum(
        counted, re.compile(rf"httproute/{re.escape(namespace)}/{re.escape(route)}/rule/\d+-mirror-\d+")
    )


def _sum(counted: Mapping[str, Tally], names: re.Pattern[str]) -> Tally | None:
    found = [one for name, one in counted.items() if names.fullmatch(name)]
    if not found:
        return None
    total = Tally()
    for one in found:
        total = total.plus(one)
    return total
