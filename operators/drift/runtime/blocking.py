"""The client for handlers, which run in threads: the same calls, blocking, each within a timeout.

What a call wrote is in the cache of its kind before the call returns, so a handler reads its own writes.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from operators.drift.runtime.client import Client
from operators.drift.runtime.errors import Unavailable
from operators.drift.runtime.reflector import Reflector
from operators.drift.runtime.resource import Object, Resource, uid_of

T = TypeVar("T")


class Blocking:
    """Made on the event loop's thread, used in any other."""

    def __init__(
        self,
        client: Client,
        caches: Mapping[Resource, Reflector] | None = None,
        *,
        timeout_s: float = 15.0,
    ) -> None:
        """Needs a running event loop.

        Args:
            client: with a fence, if writes need the lease.
            caches: which are told of what was written.
            timeout_s: beyond the client's own, for a loop that is too busy to answer.
        """
        self._client = client
        self._caches = dict(caches or {})
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        return self._wait(self._client.get(resource, namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
    ) -> Sequence[Object]:
        return self._wait(self._client.list(resource, namespace, labels=labels, fields=fields))

    def raw(self, path: str) -> Any:
        return self._wait(self._client.raw(path))

    def installed(self, resource: Resource) -> bool:
        return self._wait(self._client.installed(resource))

    def create(self, resource: Resource, obj: Object, *, user: str = "", dry_run: bool = False) -> Object:
        return self._wait(
            self._written(
                resource, lambda: self._client.create(resource, obj, user=user, dry_run=dry_run), dry_run
            )
        )

    def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
        user: str = "",
        dry_run: bool = False,
    ) -> Object:
        applying = partial(
            self._client.apply,
            resource,
            obj,
            manager=manager,
            force=force,
            subresource=subresource,
            user=user,
            dry_run=dry_run,
        )
        return self._wait(self._written(resource, applying, dry_run))

    def replace(
        self, resource: Resource, obj: Object, *, subresource: str = "", user: str = "", dry_run: bool = False
    ) -> Object:
        replacing = partial(
            self._client.replace, resource, obj, subresource=subresource, user=user, dry_run=dry_run
        )
        return self._wait(self._written(resource, replacing, dry_run))

    def write_status(self, resource: Resource, obj: Object, *, user: str = "") -> Object:
        return self.replace(resource, obj, subresource="status", user=user)

    def merge_patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object,
        *,
        subresource: str = "",
        user: str = "",
        dry_run: bool = False,
    ) -> Object:
        patching = partial(
            self._client.merge_patch,
            resource,
            namespace,
            name,
            patch,
            subresource=subresource,
            user=user,
            dry_run=dry_run,
        )
        return self._wait(self._written(resource, patching, dry_run))

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        user: str = "",
    ) -> Object:
        deleting = partial(
            self._client.delete,
            resource,
            namespace,
            name,
            uid=uid,
            version=version,
            propagation=propagation,
            user=user,
        )
        return self._wait(self._deleted(resource, namespace, name, deleting))

    async def _written(
        self, resource: Resource, writing: Callable[[], Awaitable[Object]], dry_run: bool
    ) -> Object:
        obj = await writing()
        if not dry_run and resource in self._caches and obj.get("kind") == resource.kind:
            self._caches[resource].assume(obj)
        return obj

    async def _deleted(
        self, resource: Resource, namespace: str, name: str, deleting: Callable[[], Awaitable[Object]]
    ) -> Object:
        """A finalizer or a grace period leaves the object there, with a deletionTimestamp; else it is gone."""
        answer = await deleting()
        cache = self._caches.get(resource)
        if cache is None:
            return answer
        if answer.get("kind") == resource.kind and answer["metadata"].get("deletionTimestamp"):
            cache.assume(answer)
            return answer
        held = cache.store.get(namespace if resource.namespaced else "", name)
        uid = (
            uid_of(answer)
            if answer.get("kind") == resource.kind
            else (answer.get("details") or {}).get("uid")
        )
        if held is not None and uid_of(held) == uid:
            cache.assume_deleted(held)
        return answer

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        if threading.get_ident() == self._thread:
            call.close()
            raise RuntimeError("a blocking call on the event loop's own thread would wait for itself")
        if self._loop.is_closed():
            call.close()
            raise Unavailable("the event loop has ended: nothing was sent")
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result(self._timeout_s)
        except TimeoutError as error:
            future.cancel()
            raise Unavailable("the event loop gave no answer in time", maybe_sent=True) from error
