"""Clocks: the machine's, one that the replay sets and other processes read from a file, and one to rehearse by."""

import mmap
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.api.errors import InputRefused

__all__ = ["FileClock", "PacedClock", "ReplayClock", "WallClock"]

_MICROSECONDS = struct.Struct("<q")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WallClock:
    """The machine's time (ports.clock.Clock)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def now_us(self) -> int:
        """µs since the epoch."""
        return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class PacedClock:
    """Time that goes on `speed` times as fast as the machine's (ports.clock.Clock).

    Processes that are told the same show the same, however often they are started again.

    Attributes:
        since: the machine's time at which it shows `start`.
        start: what it shows then, and before.
        speed: seconds of it in one of the machine's.
    """

    since: datetime
    start: datetime
    speed: float

    @classmethod
    def parsed(cls, since: str, start: str, speed: str) -> "PacedClock":
        """By two RFC 3339 times and a number.

        Raises:
            InputRefused: they are not.
        """
        try:
            began, shown = (datetime.fromisoformat(text).astimezone(UTC) for text in (since, start))
            return cls(began, shown, float(speed))
        except ValueError as error:
            raise InputRefused(
                f"--rehearsal {since} {start} {speed}: {error}",
                remedy="write two times such as 2026-01-31T12:00:00Z, and a number",
            ) from error

    def now(self) -> datetime:
        return self.start + max(timedelta(), datetime.now(UTC) - self.since) * self.speed

    def monotonic_s(self) -> float:
        return time.monotonic() * self.speed

    def now_us(self) -> int:
        """µs since the epoch."""
        return (self.now() - _EPOCH) // timedelta(microseconds=1)


class FileClock:
    """The time that a `ReplayClock` of another process shows, read from its file through a memory map.

    Raises:
        InputRefused: no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._shown = mmap.mmap(file.fileno(), _MICROSECONDS.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InputRefused(f"{path} is no clock file: {error}", remedy="leave --clock out") from error

    def now_us(self) -> int:
        """µs since the epoch."""
        return int(_MICROSECONDS.unpack_from(self._shown)[0])


class ReplayClock:
    """Time that stands still until it is advanced (ports.clock.Clock).

    Args:
        file: shows the time to other processes' `FileClock`; None keeps it here.
    """

    def __init__(self, start: datetime, file: Path | None = None) -> None:
        self._start = self._now = start
        self._shown: mmap.mmap | None = None
        if file is not None:
            file.write_bytes(_MICROSECONDS.pack(0))
            with file.open("r+b") as opened:
                self._shown = mmap.mmap(opened.fileno(), _MICROSECONDS.size)
            self._show()

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, to: datetime) -> None:
        """Set the time. Raises ValueError if that is before now."""
        if to < self._now:
            raise ValueError(f"time cannot go back from {self._now} to {to}")
        self._now = to
        self._show()

    def _show(self) -> None:
        if self._shown is not None:
            _MICROSECONDS.pack_into(self._shown, 0, (self._now - _EPOCH) // timedelta(microseconds=1))

    def by(self, length: timedelta) -> None:
        """Let `length` pass."""
        self.advance(self._now + length)
