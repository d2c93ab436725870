"""Keys to look at: each waits once, none is looked at twice at a time, one that fails waits longer each time.

The semantics are those of client-go's workqueue (util/workqueue/queue.go, default_rate_limiters.go), but for one:
a key has one timer, and a look at it cancels the timer, since whoever looks says when to look again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

from operators.drift.runtime.backoff import Backoff

K = TypeVar("K", bound=Hashable)


class Closed(Exception):
    """The queue gives out nothing any more."""


class Queue(Generic[K]):
    """First in, first out. All methods but those of the loop's thread are unsafe."""

    def __init__(
        self,
        *,
        backoff: Backoff = Backoff(base_s=0.1, cap_s=30.0),
        clock: Callable[[], float] = time.monotonic,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """
        Args:
            on_wait: told how long each key waited from being due to being given out.
        """
        self._backoff = backoff
        self._clock = clock
        self._on_wait = on_wait
        self._waiting: dict[K, float] = {}  # since when; a dict keeps the order
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._count = 0
        self._failures: dict[K, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that are due and wait."""
        return len(self._waiting) + len(self._again)

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._due)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def oldest_s(self) -> float:
        """How long the first in line has waited."""
        return self._clock() - next(iter(self._waiting.values())) if self._waiting else 0.0

    def failures(self, key: K) -> int:
        """How many times in a row it failed."""
        return self._failures.get(key, 0)

    def add(self, key: K) -> None:
        """Look at it soon; one that is being looked at comes again after."""
        if self._closed:
            return
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._wake()

    def add_after(self, key: K, delay_s: float) -> None:
        """Look at it in a while, if nothing else brings it up before; the earliest time asked for counts."""
        if delay_s <= 0:
            self.add(key)
            return
        due = self._clock() + delay_s
        if self._closed or self._due.get(key, due) < due:
            return
        self._due[key] = due
        self._count += 1
        heappush(self._timers, (due, self._count, key))
        self._set_alarm()

    def fail(self, key: K, *, at_least_s: float = 0.0) -> float:
        """Look at it again after a wait that grows with each failure in a row; how long that is."""
        self._failures[key] = self.failures(key) + 1
        delay_s = max(at_least_s, self._backoff.after(self._failures[key]))
        self.add_after(key, delay_s)
        return delay_s

    def forget(self, key: K) -> None:
        """It went well: the next failure is its first."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which counts as being looked at until `done`.

        Raises:
            Closed: after `close`.
        """
        while not self._waiting:
            if self._closed:
                raise Closed
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():  # woken and cancelled at once: wake another
                    self._wake()
                raise
            finally:
                if taker in self._takers:
                    self._takers.remove(taker)
        if self._closed:
            raise Closed
        key = next(iter(self._waiting))
        self._on_wait(self._clock() - self._waiting.pop(key))
        self._running.add(key)
        self._due.pop(key, None)
        return key

    def done(self, key: K) -> None:
        """It has been looked at. What came up meanwhile goes to the end of the line."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Give out nothing more, and forget what waits."""
        self._closed = True
        self._waiting.clear()
        self._again.clear()
        self._due.clear()
        self._timers.clear()
        if self._alarm:
            self._alarm.cancel()
        while self._takers:
            self._wake()

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _set_alarm(self) -> None:
        while self._timers and self._due.get(self._timers[0][2]) != self._timers[0][0]:
            heappop(self._timers)  # its key was looked at, or is due earlier
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if self._timers:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, self._timers[0][0] - self._clock()), self._ring)

    def _ring(self) -> None:
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heappop(self._timers)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._set_alarm()
