"""The replay's barrier: an hour is over when every answer, copies included, has been logged and taken in."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import Sent

DEADLINE_S = 30.0
PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Logged:
    """What a model server says of its payload log since it started."""

    handled: int
    logged: int
    dropped: int
    in_flight: int


class BarrierStuck(SurroundingsFailed):
    """An hour's events did not all arrive."""


class ServerLog:
    """Asks one model server past the gateway; one kept-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)

    def read(self) -> Logged:
        self._connection.request("GET", "/trimtab/logged")
        counts = json.loads(self._connection.getresponse().read())
        return Logged(**{name: int(counts[name]) for name in ("handled", "logged", "dropped", "in_flight")})

    def close(self) -> None:
        self._connection.close()


class Barrier:
    """Compares counts of the gateway, the model servers and the collector since the last hour's end.

    Args:
        sent: what the gateway completed by revision, copies apart.
        received: events that the collector took since its log began, by revision.
    """

    def __init__(
        self, sent: Callable[[], Mapping[str, Sent]], received: Callable[[], Mapping[str, int]]
    ) -> None:
        self._sent, self._received = sent, received
        self._before: dict[str, tuple[int, Logged, int]] = {}

    def wait(self, servers: Mapping[str, ServerLog]) -> Mapping[str, Logged]:
        """Return when, at every server, what the gateway sent was answered and received + dropped = logged.

        A server that was started again counts from nothing, so for its first hour it only has to be idle.

        Raises:
            BarrierStuck: not within 30 s.
        """
        deadline = time.monotonic() + DEADLINE_S
        while True:
            logs = {revision: server.read() for revision, server in servers.items()}
            if all(one.in_flight == 0 and one.handled == one.logged + one.dropped for one in logs.values()):
                sent, received = self._sent(), self._received()
                now = {
                    revision: (answered(sent.get(revision)), log, received.get(revision, 0))
                    for revision, log in logs.items()
                }
                idle = not any(one.pending for one in sent.values())
                if idle and all(self._over(revision, *counts) for revision, counts in now.items()):
                    self._before = now
                    return logs
            if time.monotonic() > deadline:
                raise BarrierStuck(
                    f"after {DEADLINE_S:g} s the servers say {logs}, the gateway {dict(self._sent())}, "
                    f"the collector {dict(self._received())}",
                    remedy="see the logs of the plane: trimtab logs",
                )
            time.sleep(PAUSE_S)

    def _over(self, revision: str, answers: int, log: Logged, received: int) -> bool:
        nothing = (0, Logged(0, 0, 0, 0), 0)
        answers_before, log_before, received_before = self._before.get(revision, nothing)
        if log.handled < log_before.handled or answers < answers_before:
            return True
        return (
            log.handled - log_before.handled >= answers - answers_before
            and received - received_before >= log.logged - log_before.logged
        )


def answered(sent: Sent | None) -> int:
    """Requests, copies among them, that a server answered well, by the gateway's count."""
    return 0 if sent is None else sent.requests + sent.mirrored - sent.failed - sent.mirrored_failed
