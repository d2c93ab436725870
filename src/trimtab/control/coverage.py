"""Which share of the requests that a revision answered came to be known: events taken over requests sent."""

from trimtab.ports.evidence import Evidence
from trimtab.ports.gateway import Gateway, Sent


class Coverage:
    """Counts of collector and gateway since they were first compared, for one revision.

    A gateway that restarts counts from nothing: then nothing is known until both have been looked at anew.
    """

    def __init__(self, gateway: Gateway, evidence: Evidence, host: str) -> None:
        self._gateway, self._evidence, self._host = gateway, evidence, host
        self._revision = ""
        self._sent: Sent | None = None
        self._received = 0

    def begin(self, revision: str) -> None:
        """Count from now on, if this revision is not yet counted."""
        if revision != self._revision:
            self._revision = revision
            self._sent, self._received = self._look()

    def share(self) -> float | None:
        """Events over requests since the last call, at most 1; None where it cannot be known."""
        before, received = self._sent, self._received
        self._sent, self._received = self._look()
        if before is None or self._sent is None or before.epoch != self._sent.epoch:
            return None
        requests = _answered(self._sent) - _answered(before)
        return min(1.0, (self._received - received) / requests) if requests > 0 else None

    def _look(self) -> tuple[Sent | None, int]:
        sent = self._gateway.sent(self._host).get(self._revision)
        return sent, self._evidence.received().get(self._revision, 0)


def _answered(sent: Sent) -> int:
    return sent.requests + sent.mirrored
