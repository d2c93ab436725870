"""Clocks: the machine's, and one that is set by the replay."""

import time
from datetime import UTC, datetime, timedelta

__all__ = ["ReplayClock", "WallClock"]


class WallClock:
    """The machine's time (ports.clock.Clock)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class ReplayClock:
    """Time that stands still until it is advanced (ports.clock.Clock)."""

    def __init__(self, start: datetime) -> None:
        self._start = self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, to: datetime) -> None:
        """Set the time. Raises ValueError if that is before now."""
        if to < self._now:
            raise ValueError(f"time cannot go back from {self._now} to {to}")
        self._now = to

    def by(self, length: timedelta) -> None:
        """Let `length` pass."""
        self.advance(self._now + length)
