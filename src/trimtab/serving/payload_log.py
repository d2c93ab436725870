"""The payload logger: events go to the sink in batches, from a bounded queue that never makes a request wait.

An event stays queued until the sink has answered 2xx, so none is lost while the sink is away and the queue
has room; a batch whose answer was lost goes again with the same ids (at least once: the collector tells by
the id). What finds the queue full is dropped, and counted.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress

from trimtab.serving.sink import Sink, SinkFailed

QUEUE_EVENTS = 20_000
QUEUE_BYTES = 64 << 20
BATCH_EVENTS = 100
BATCH_BYTES = 1 << 20
IDLE_S = 0.002
WAITED_S = 0.05
FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0

log = logging.getLogger("trimtab.serving")


class PayloadLog:
    """A queue of encoded events and the task that empties it.

    Attributes:
        handled: events offered.
        logged: events that the sink took.
        dropped: events given up: the queue was full, the sink refused them, or time ran out at the end.
    """

    def __init__(self, sink: Sink, *, events: int = QUEUE_EVENTS, size_bytes: int = QUEUE_BYTES) -> None:
        self._sink = sink
        self._most_events = events
        self._most_bytes = size_bytes
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.handled = 0
        self.logged = 0
        self.dropped = 0

    @property
    def in_flight(self) -> int:
        """Events queued or on their way."""
        return len(self._queue)

    def offer(self, event: bytes) -> None:
        """Queue an event, or drop and count it. Never waits."""
        self.handled += 1
        if len(self._queue) >= self._most_events or self._bytes + len(event) > self._most_bytes:
            self.dropped += 1
            return
        self._queue.append(event)
        self._bytes += len(event)
        if not self._awake.is_set():
            self._awake.set()

    def start(self) -> None:
        """Begin to send; in the loop that serves."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="payload log")

    async def close(self, within_s: float) -> None:
        """Send what is queued, for at most `within_s`; what is left counts as dropped."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._queue:
                    await asyncio.sleep(IDLE_S)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._sink.close()
        if self._queue:
            log.warning("%d events could not be sent before the end", len(self._queue))
            self._give_up(len(self._queue))

    async def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            await self._gathered()
            batch = self._batch()
            try:
                status = await self._sink.post(b"[" + b",".join(batch) + b"]")
            except SinkFailed as error:
                status, why = 0, str(error)
            else:
                why = f"it answered {status}"
            if 200 <= status < 300:
                self._take(len(batch))
                self.logged += len(batch)
                retry_s = FIRST_RETRY_S
            elif 400 <= status < 500 and status not in (408, 429):
                log.error("the sink refused %d events: %s", len(batch), why)
                self._give_up(len(batch))
            else:
                if retry_s == FIRST_RETRY_S:
                    log.warning("the sink did not take %d events, trying again: %s", len(batch), why)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    async def _gathered(self) -> None:
        """Returns when a batch is worth sending: it is full, or nothing came for `IDLE_S`."""
        if not self._queue:
            self._awake.clear()
            await self._awake.wait()
        held, waited_s = 0, 0.0
        while held < len(self._queue) < BATCH_EVENTS and waited_s < WAITED_S:
            held = len(self._queue)
            await asyncio.sleep(IDLE_S)
            waited_s += IDLE_S

    def _batch(self) -> list[bytes]:
        """The oldest events, which stay queued."""
        batch: list[bytes] = []
        size = 0
        for event in self._queue:
            if batch and (len(batch) == BATCH_EVENTS or size + len(event) > BATCH_BYTES):
                break
            batch.append(event)
            size += len(event)
        return batch

    def _take(self, events: int) -> None:
        for _ in range(events):
            self._bytes -= len(self._queue.popleft())

    def _give_up(self, events: int) -> None:
        self._take(events)
        self.dropped += events
