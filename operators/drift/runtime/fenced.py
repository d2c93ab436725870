"""A client whose writes stop the moment that leadership is in doubt.

The lease's holder may write until its deadline on the monotonic clock. The check stands at the last place that a
process has: after a connection is there and before the request's first byte. What is on the wire by then may still
arrive late; the resourceVersion that it carries is what refuses it (Kleppmann 2016, "How to do distributed
locking": a fencing token).
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from operators.drift.runtime.errors import Fenced


def boot_clock() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Fence:
    """Open for a while from a moment on; closed at first, after `close`, and when its clock goes back."""

    def __init__(self, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._since, self._for_s = 0.0, 0.0
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def open(self, since: float, for_s: float) -> None:
        """Open it from this moment of its clock for so long."""
        self._since, self._for_s = since, for_s

    def close(self) -> None:
        self._for_s = 0.0

    @property
    def remaining_s(self) -> float:
        """How long writes may still be sent; ≤ 0 when closed."""
        passed_s = self._clock() - self._since
        return self._for_s - passed_s if passed_s >= 0 else 0.0

    def check(self) -> None:
        """
        Raises:
            Fenced: nothing may be sent any more.
        """
        if self.remaining_s <= 0:
            raise Fenced("this process does not hold the lease: nothing was sent")

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around one write, from before its check until its answer, so that `empty` knows of it."""
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def empty(self, timeout_s: float) -> bool:
        """Wait until no write is under way; whether that came about in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
