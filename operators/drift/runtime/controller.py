"""Brings objects to a handler: changes of some kinds are mapped to keys, keys wait in a queue, threads look at them.

A handler is level-triggered: it is told which object, never what happened, reads all that it needs, and says when to
look again. As controller-runtime (pkg/internal/controller), without its periodic resync: a cache that notices its own
gaps needs none.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from operators.drift.runtime.errors import Conflict, Fenced
from operators.drift.runtime.queue import Closed, Queue
from operators.drift.runtime.reflector import Reflector
from operators.drift.runtime.resource import Key, Object, key_of

Handler = Callable[[str, str], float | None]
"""(namespace, name) → seconds until the next look, or None for none. Runs in a thread; may raise anything."""
ToKeys = Callable[[Object | None, Object | None], Iterable[Key]]
"""(old, new) → whom to look at."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """One look at one object, for metrics and logs."""

    controller: str
    key: Key
    seconds: float
    again_s: float | None
    error: BaseException | None


def own_key(old: Object | None, new: Object | None) -> Iterable[Key]:
    """The object itself, whatever changed."""
    obj = new or old
    return (key_of(obj),) if obj else ()


def own_key_when_told(old: Object | None, new: Object | None) -> Iterable[Key]:
    """The object itself, unless only its status changed: one's own reports must not wake one."""
    return () if old and new and _said(old) == _said(new) else own_key(old, new)


def _said(obj: Object) -> tuple[object, ...]:
    metadata = obj["metadata"]
    names = (
        "uid",
        "generation",
        "labels",
        "annotations",
        "deletionTimestamp",
        "finalizers",
        "ownerReferences",
    )
    return tuple(metadata.get(name) for name in names)


class Controller:
    """One handler with its queue and threads."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        workers: int = 4,
        queue: Callable[[], Queue[Key]] = Queue,
        on_look: Callable[[Looked], None] = lambda looked: None,
        grace_s: float = 5.0,
    ) -> None:
        """
        Args:
            queue: makes an empty queue for each run.
            grace_s: how long `run`, when cancelled, waits for handlers at work.
        """
        self.name = name
        self.queue = queue()
        self._make_queue = queue
        self._handler = handler
        self._workers = workers
        self._on_look = on_look
        self._grace_s = grace_s
        self._sources: list[tuple[Reflector, ToKeys]] = []
        self._running = False
        self._started: dict[Key, float] = {}

    @property
    def longest_run_s(self) -> float:
        """How long the oldest handler at work has been at it: a liveness probe's figure."""
        return time.monotonic() - min(self._started.values()) if self._started else 0.0

    def watch(self, reflector: Reflector, keys: ToKeys = own_key) -> None:
        """Look at `keys` of each change of this kind, and at those of all its objects when a run begins."""
        self._sources.append((reflector, keys))

        def changed(old: Object | None, new: Object | None) -> None:
            if self._running:
                for key in keys(old, new):
                    self.queue.add(key)

        reflector.subscribe(changed)

    def look_at_all(self) -> None:
        """At the keys of all objects that are watched. On the event loop's thread only."""
        for reflector, keys in self._sources:
            for obj in reflector.store.list():
                for key in keys(None, obj):
                    self.queue.add(key)

    async def run(self) -> None:
        """Until cancelled. Begins once all caches are full, with a look at everything."""
        for reflector, _ in self._sources:
            await reflector.wait_synced(float("inf"))
        self.queue = self._make_queue()
        self._running = True
        self.look_at_all()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix=self.name)
        working = [asyncio.ensure_future(self._work(pool)) for _ in range(self._workers)]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            self._running = False
            self.queue.close()
            _, hanging = await asyncio.wait(working, timeout=self._grace_s)
            for each in hanging:
                each.cancel()
            if hanging:
                log.warning("%s: %d handlers did not end in %.0f s", self.name, len(hanging), self._grace_s)
            pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self, pool: ThreadPoolExecutor) -> None:
        while True:
            try:
                key = await self.queue.get()
            except Closed:
                return
            try:
                await self._look(pool, key)
            finally:
                self.queue.done(key)

    async def _look(self, pool: ThreadPoolExecutor, key: Key) -> None:
        started = self._started[key] = time.monotonic()
        again_s: float | None = None
        failure: Exception | None = None
        try:
            again_s = await asyncio.get_running_loop().run_in_executor(pool, self._handler, *key)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its object is looked at again
            failure = error
        finally:
            del self._started[key]
        if failure is not None:
            again_s = self.queue.fail(key, at_least_s=getattr(failure, "retry_after_s", None) or 0.0)
            expected = isinstance(failure, Conflict | Fenced)
            log.log(
                logging.INFO if expected else logging.ERROR,
                "%s %s/%s: %s; again in %.1f s",
                self.name,
                *key,
                str(failure) or type(failure).__name__,
                again_s,
                exc_info=None if expected else failure,
            )
        else:
            self.queue.forget(key)
            if again_s is not None:
                self.queue.add_after(key, again_s)
        self._on_look(Looked(self.name, key, time.monotonic() - started, again_s, failure))
