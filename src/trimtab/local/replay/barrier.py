"""The replay's barrier: an hour is over when every answer, copies included, has been logged and taken in."""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import Sent

DEADLINE_S = 120.0
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
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=30)

    def read(self) -> Logged | None:
        """What it says; None from a server that is dead, whose unsent events died with it."""
        try:
            counts = self._asked()
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return None
        return Logged(**{field.name: int(counts[field.name]) for field in fields(Logged)})

    def _asked(self) -> dict[str, int]:
        kept = self._connection.sock is not None
        try:
            self._connection.request("GET", "/trimtab/logged")
            answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            if not kept:
                raise
            return self._asked()  # a kept connection may lead to the process before this one
        counts: dict[str, int] = json.loads(answer.read())
        return counts

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Counted:
    """What the three say of one revision: the gateway, the model server (NOTHING when it is dead), the collector."""

    answered: int
    log: Logged
    received: int

    def over(self, before: "Counted") -> bool:
        """Whether all that was sent since `before` was answered and taken in."""
        if before.log.pid != self.log.pid or self.answered < before.answered:
            return True
        return (
            self.log.handled - before.log.handled >= self.answered - before.answered
            and self.received - before.received >= self.log.logged - before.log.logged
        )


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
        self._before: dict[str, Counted] = {}

    def wait(self, servers: Mapping[str, ServerLog]) -> Mapping[str, Logged]:
        """Return when, at every server, what the gateway sent was answered and received + dropped = logged.

        A server that was started again counts from nothing, so for its first hour it only has to be idle; one
        that is dead is not waited for. A gateway or collector that is being started again is.

        Raises:
            BarrierStuck: not within two minutes.
        """
        deadline = time.monotonic() + DEADLINE_S
        while True:
            logs = {revision: server.read() for revision, server in servers.items()}
            alive = {revision: log for revision, log in logs.items() if log is not None}
            if all(one.in_flight == 0 and one.handled == one.logged + one.dropped for one in alive.values()):
                try:
                    if not (missing := self._missing(alive, logs)):
                        return alive
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

    def _missing(self, alive: Mapping[str, Logged], servers: Iterable[str]) -> str:
        """What the hour still waits for; nothing when it is over, and then the next one's counts begin here.

        Raises:
            SurroundingsFailed: the gateway or the collector is away.
        """
        sent, received = self._sent(), self._received()
        pending = {revision: one.pending for revision, one in sent.items() if one.pending}
        if pending:
            return f"requests are on their way at the gateway, {pending}"
        now = {
            revision: Counted(
                answered(sent.get(revision)), alive.get(revision, NOTHING), received.get(revision, 0)
            )
            for revision in servers
        }
        for revision, log in alive.items():
            before = self._before.get(revision, Counted(0, replace(NOTHING, pid=log.pid), 0))
            if not now[revision].over(before):
                return f"events of revision {revision} are missing: from {before} to {now[revision]}"
        self._before = now
        return ""


def answered(sent: Sent | None) -> int:
    """Requests, copies among them, that a server answered well, by the gateway's count."""
    return 0 if sent is None else sent.requests + sent.mirrored - sent.failed - sent.mirrored_failed
