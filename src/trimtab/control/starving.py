"""Does the candidate answer what it is sent? Seen at the gateway, since a dead server logs nothing."""

from collections.abc import Mapping
from typing import Final

from trimtab.ports.gateway import Sent
from trimtab.rollout import Routed

LEAST_REQUESTS: Final = 20


class Starving:
    """For how long the candidate has answered under half of its requests while stable answered its own.

    Counts are compared between looks that lie far enough apart to hold 20 requests of the candidate.
    """

    def __init__(self) -> None:
        self._candidate = ""
        self._last: tuple[Sent | None, Sent | None] = (None, None)
        self._since: float | None = None

    def look(
        self, stable: str, candidate: str, routed: Routed, sent: Mapping[str, Sent], monotonic_s: float
    ) -> float:
        """Seconds of starvation up to now; 0.0 while it is fed, or while nothing can be said."""
        now = (sent.get(stable), sent.get(candidate))
        before = self._last
        if self._candidate != candidate or _restarted(before, now):
            self._candidate, self._last, self._since = candidate, now, None
            return 0.0
        mirrored = routed.mirror == candidate
        asked, answered = _delta(before[1], now[1], mirrored)
        stable_asked, stable_answered = _delta(before[0], now[0], False)
        share = (routed.mirror_percent if mirrored else routed.weights.get(candidate, 0)) / 100
        everyone = stable_asked if mirrored else stable_asked + asked
        expected = max(asked, round(share * everyone))
        if expected >= LEAST_REQUESTS:
            self._last = now
            starved = answered < expected / 2 and (stable_answered >= stable_asked / 2)
            self._since = None if not starved else (monotonic_s if self._since is None else self._since)
        return 0.0 if self._since is None else monotonic_s - self._since


def _restarted(before: tuple[Sent | None, Sent | None], now: tuple[Sent | None, Sent | None]) -> bool:
    return any(
        (a.epoch if a is not None else b.epoch) != b.epoch
        for a, b in zip(before, now, strict=True)
        if b is not None
    )


def _delta(before: Sent | None, now: Sent | None, mirrored: bool) -> tuple[int, int]:
    """(requests, answered) between two looks."""
    if now is None:
        return 0, 0
    if mirrored:
        was = (before.mirrored, before.mirrored_failed) if before else (0, 0)
        asked, failed = now.mirrored - was[0], now.mirrored_failed - was[1]
    else:
        was = (before.requests, before.failed) if before else (0, 0)
        asked, failed = now.requests - was[0], now.failed - was[1]
    return asked, asked - failed
