"""Does the candidate answer what it is sent? Seen at the gateway, since a dead server logs nothing."""

from collections.abc import Mapping
from typing import Final

from trimtab.ports.gateway import Sent
from trimtab.rollout import Routed

LEAST_SENT: Final = 20
"""Requests of the candidate in a window whose answers are judged."""
LEAST_EXPECTED: Final = 60
"""Requests that the candidate's weight promises in a window whose draw is judged: half of them is 4 sd away."""


class Starving:
    """For how long the candidate has answered under half of its requests while stable answered its own.

    Counts are compared in windows large enough to say something, under one split. One bad window may be chance, so
    the time runs from the end of the first to the end of the latest of windows that are bad in a row.
    """

    def __init__(self) -> None:
        self._watched: tuple[str, Routed] | None = None
        self._last: tuple[Sent | None, Sent | None] = (None, None)
        self._since: float | None = None
        self._starved_s = 0.0

    def look(
        self, stable: str, candidate: str, routed: Routed, sent: Mapping[str, Sent], monotonic_s: float
    ) -> float:
        """Seconds of starvation as of the latest window; 0.0 while it is fed, or while nothing can be said."""
        now = (sent.get(stable), sent.get(candidate))
        if self._watched != (candidate, routed) or _restarted(self._last, now):
            self._watched, self._last = (candidate, routed), now
            self._since, self._starved_s = None, 0.0
            return 0.0
        mirrored = routed.mirror == candidate
        asked, answered = _delta(self._last[1], now[1], mirrored)
        stable_asked, stable_answered = _delta(self._last[0], now[0], False)
        share = (routed.mirror_percent if mirrored else routed.weights.get(candidate, 0)) / 100
        expected = share * (stable_asked if mirrored else stable_asked + asked)
        if asked < LEAST_SENT and expected < LEAST_EXPECTED:
            return self._starved_s
        self._last = now
        wanted = max(asked, expected) if expected >= LEAST_EXPECTED else asked
        if answered >= wanted / 2 or stable_answered < stable_asked / 2:
            self._since, self._starved_s = None, 0.0
        elif self._since is None:
            self._since = monotonic_s
        else:
            self._starved_s = monotonic_s - self._since
        return self._starved_s


def _restarted(before: tuple[Sent | None, Sent | None], now: tuple[Sent | None, Sent | None]) -> bool:
    """Whether the gateway counts anew, for either revision."""
    return any(
        a is not None and b is not None and a.epoch != b.epoch for a, b in zip(before, now, strict=True)
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
