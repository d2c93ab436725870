"""The replay's barrier: an hour is over when every answer, copies included, has been logged and taken in."""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import Sent

DEADLINE_S = 30.0
PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Logged:
    """What a model server says of its payload log since it started, and which process says so."""

    pid: int
    handled: int
    logged: int
    dropped: int
    in_flight: int


class BarrierStuck(SurroundingsFailed):
    """An hour's events did not all arrive."""


NOTHING = Logged(0, 0, 0, 0, 0)


class ServerLog:
    """Asks one model server past the gateway; one kept-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)

    def read(self) -> Logged | None:
        """What it says; None from a server that is dead, whose unsent events died with it."""
        try:
            self._connection.request("GET", "/trimtab/logged")
            counts = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return None
        return Logged(**{field.name: int(counts[field.name]) for field in fields(Logged)})

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

        A server that was started again counts from nothing, so for its first hour it only has to be idle; one
        that is dead is not waited for. A gateway or collector that is being started again is.

        Raises:
            BarrierStuck: not within 30 s.
        """
        deadline = time.monotonic() + DEADLINE_S
        while True:
            logs = {revision: server.read() for revision, server in servers.items()}
            alive = {revision: log for revision, log in logs.items() if log is not None}
            if all(one.in_flight == 0 and one.handled == one.logged + one.dropped for one in alive.values()):
                try:
                    if self._all_over(alive, logs):
                        return alive
                    missing = "events are missing"
                except SurroundingsFailed as error:
                    missing = error.message
            else:
                missing = "events are on their way"
            if time.monotonic() > deadline:
                raise BarrierStuck(
                    f"after {DEADLINE_S:g} s {missing}: the servers say {logs}",
                    remedy="see the logs of the plane: trimtab logs",
                )
            time.sleep(PAUSE_S)

    def _all_over(self, alive: Mapping[str, Logged], servers: Iterable[str]) -> bool:
        """Whether the hour is over, and if so, where the next one's counts begin.

        Raises:
            SurroundingsFailed: the gateway or the collector is away.
        """
        sent, received = self._sent(), self._received()
        now = {
            revision: (answered(sent.get(revision)), alive.get(revision, NOTHING), received.get(revision, 0))
            for revision in servers
        }
        if any(one.pending for one in sent.values()):
            return False
        if not all(self._over(revision, *now[revision]) for revision in alive):
            return False
        self._before = now
        return True

    def _over(self, revision: str, answers: int, log: Logged, received: int) -> bool:
        answers_before, log_before, received_before = self._before.get(revision, (0, NOTHING, 0))
        if log_before.pid not in (0, log.pid) or answers < answers_before:
            return True
        return (
            log.handled - log_before.handled >= answers - answers_before
            and received - received_before >= log.logged - log_before.logged
        )


def answered(sent: Sent | None) -> int:
    """Requests, copies among them, that a server answered well, by the gateway's count."""
    return 0 if sent is None else sent.requests + sent.mirrored - sent.failed - sent.mirrored_failed
