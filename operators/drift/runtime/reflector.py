"""Keeps a store equal to what the API server holds: a list, then a watch from the list's moment, for ever.

As client-go's reflector (tools/cache/reflector.go): bookmarks move the version on, a watch ends after 5 to 10
minutes and goes on where it was, 410 leads to a new list, failures to exponential backoff with jitter. What differs:
a list is compared page by page with what is held, so 10,000 objects are never in memory twice; a watch that is
silent for longer than a bookmark's minute is dropped; and when any call of the client gets no answer, watches are
opened anew at once, since a connection that a black hole has eaten never says so.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from random import uniform
from time import monotonic
from typing import Final

from operators.drift.runtime.backoff import Backoff
from operators.drift.runtime.client import Client
from operators.drift.runtime.errors import ApiError, Expired, NotInstalled, Unavailable
from operators.drift.runtime.resource import Key, Object, Resource, key_of, labels_of, version_of
from operators.drift.runtime.store import Change, Index, Store
from operators.drift.runtime.watch import QUIET_S, Event

OnChange = Callable[[Object | None, Object | None], None]
LIVED_S: Final = 30.0
"""A watch that lived for longer was well, whatever ended it."""
SHORT_S: Final = 1.0
log = logging.getLogger(__name__)


def drop_managed_fields(obj: Object) -> Object:
    """Without metadata.managedFields, often half of an object, which only server-side apply reads."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


class Reflector:
    """One kind, in one namespace or in all."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        project: Callable[[Object], Object] = drop_managed_fields,
        indexed_labels: Iterable[str] = (),
        indexes: Mapping[str, Index] | None = None,
        page: int = 500,
        quiet_s: float = QUIET_S,
        absent_poll_s: float = 30.0,
        backoff: Backoff = Backoff(base_s=0.5, cap_s=15.0),
    ) -> None:
        """
        Args:
            labels: only objects that carry these; with the value "", whatever the label's value is.
            project: what of an object is kept; metadata's name, namespace, uid, labels and version must be.
            absent_poll_s: how often to ask for a kind that is not installed.
        """
        self.resource = resource
        self.store = Store(indexed_labels=indexed_labels, indexes=indexes)
        self.installed = True
        self.last_error = ""
        self.lists = 0
        self._client = client
        self._namespace = namespace
        self._labels = labels or {}
        self._project = project
        self._page = page
        self._quiet_s = quiet_s
        self._absent_poll_s = absent_poll_s
        self._backoff = backoff
        self._told: list[OnChange] = []
        self._synced = asyncio.Event()
        self._suspect = asyncio.Event()
        self._failures = self._absent = 0
        self._since = ""
        client.on_outage(self._suspect.set)

    @property
    def synced(self) -> bool:
        """Whether the store has once been equal to the API server's, or the kind is known not to be there."""
        return self._synced.is_set()

    async def wait_synced(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._synced.wait()
        except TimeoutError:
            return False
        return True

    def subscribe(self, callback: OnChange) -> None:
        """Have `callback` told what each object was and is, on the event loop; None for not there."""
        self._told.append(callback)

    def assume(self, obj: Object) -> None:
        """We wrote this: readers see it at once. Only on the event loop."""
        if self._covers(obj):
            self._tell(self.store.assume(self._project(obj)))

    def assume_deleted(self, obj: Object) -> None:
        """We deleted this, and it is gone. Only on the event loop."""
        self._tell(self.store.assume_deleted(obj))

    async def run(self) -> None:
        """For ever; every failure of the API server is one to wait out."""
        while True:
            try:
                if not self._since:
                    await self._list()
                await self._follow()
            except NotInstalled as error:
                await self._wait_for_kind(error)
            except ApiError as error:
                if isinstance(error, Expired) or "Too large resource version" in str(error):
                    self._since = ""  # fell too far behind, or an etcd that was restored
                delay_s = max(self._failed(str(error)), error.retry_after_s or 0.0)
                log.warning("%s: %s; again in %.1f s", self.resource, error, delay_s)
                await asyncio.sleep(delay_s)

    async def _list(self) -> None:
        keys: set[Key] = set()
        continue_from = ""
        while True:
            page = await self._client.list_page(
                self.resource,
                self._namespace,
                labels=self._labels,
                limit=self._page,
                continue_from=continue_from,
            )
            version = int(page.version)
            for item in page.items:
                keys.add(key_of(item))
                self._tell(self.store.listed(self._project(item), version))
            continue_from = page.continue_from
            if not continue_from:
                break
        for change in self.store.all_listed(keys, version):
            self._tell(change)
        self.lists += 1
        self._since = page.version
        self._arrived()

    async def _follow(self) -> None:
        """One watch, until it ends, fails, or is no longer to be trusted."""
        self._suspect.clear()
        started = monotonic()
        watching = asyncio.ensure_future(self._watch())
        suspecting = asyncio.ensure_future(self._suspect.wait())
        try:
            await asyncio.wait((watching, suspecting), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            suspecting.cancel()
            watching.cancel()
            await asyncio.gather(suspecting, watching, return_exceptions=True)
            if monotonic() - started > LIVED_S:
                self._arrived()
        if monotonic() - started < SHORT_S:
            raise Unavailable("the watch ended as soon as it began")

    async def _watch(self) -> None:
        events = self._client.watch(
            self.resource,
            self._namespace,
            since=self._since,
            labels=self._labels,
            ends_after_s=uniform(300, 600),
            quiet_s=self._quiet_s,
        )
        async with aclosing(events):
            async for event in events:
                self._take(event)
                self._arrived()

    def _take(self, event: Event) -> None:
        if event.type == "BOOKMARK":
            self.store.bookmark(version_of(event.object))
        elif event.type == "DELETED":
            self._tell(self.store.drop(event.object))
        else:
            self._tell(self.store.put(self._project(event.object)))
        self._since = str(event.object["metadata"]["resourceVersion"])

    async def _wait_for_kind(self, error: NotInstalled) -> None:
        """Not there twice, a moment apart, is not there: an API server that starts may say so once."""
        self._since = ""
        self._absent += 1
        self.last_error = str(error)
        if self._absent == 1:
            await asyncio.sleep(self._backoff.after(1))
            return
        if self.installed:
            log.warning("%s: not installed; looking again each %.0f s", self.resource, self._absent_poll_s)
        self.installed = False
        for change in self.store.clear():
            self._tell(change)
        self._synced.set()
        await asyncio.sleep(uniform(0.8, 1.2) * self._absent_poll_s)

    def _arrived(self) -> None:
        self.installed = True
        self._failures = self._absent = 0
        self.last_error = ""
        self._synced.set()

    def _failed(self, error: str) -> float:
        self._failures += 1
        self.last_error = error
        return self._backoff.after(self._failures)

    def _covers(self, obj: Object) -> bool:
        inside = not self._namespace or key_of(obj).namespace == self._namespace
        held = labels_of(obj)
        return inside and all(
            held.get(key) == value if value else key in held for key, value in self._labels.items()
        )

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        for callback in self._told:
            try:
                callback(*change)
            except Exception:  # one reader's fault must not stop the cache of all
                log.exception("%s: a callback failed", self.resource)


async def wait_all_synced(reflectors: Sequence[Reflector], timeout_s: float) -> Sequence[Resource]:
    """Wait for all; the resources of those that are not synced in time."""
    arrived = await asyncio.gather(*(each.wait_synced(timeout_s) for each in reflectors))
    return [each.resource for each, ready in zip(reflectors, arrived, strict=True) if not ready]
