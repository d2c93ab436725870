"""ports.cluster.Cluster over the operator's runtime: reads from its caches, writes through its fenced client."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from operators.drift.caches import Caches, resource_of
from operators.drift.reporting import Reporter
from operators.drift.runtime import (
    AlreadyExists,
    ApiError,
    Client,
    Fenced,
    Invalid,
    NotFound,
    Resource,
    uid_of,
    waited,
)
from operators.drift.runtime import Conflict as Stale
from operators.drift.runtime import Forbidden as NotAllowed
from operators.drift.runtime import NotInstalled as UnknownKind
from trimtab.adapters.kubernetes.parts import missing
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import FIELD_MANAGER, Kind, NotInstalled, Object, Refused, happened
from trimtab.ports.state import Conflict

INSTALLED_FOR_S: Final = 60.0
WAIT_S: Final = 30.0
"""Longer than any call of the client takes: its own timeout ends a call first."""
EVENTS: Final = Resource("", "v1", "Event", "events")
T = TypeVar("T")


class WatchedCluster:
    """The cluster as handlers see it. Any thread but the event loop's own may call it.

    Args:
        client: fenced: its writes are refused once this process does not lead.
        kinds: every kind that is read or written; an object names its own by apiVersion and kind.
    """

    def __init__(
        self,
        client: Client,
        loop: asyncio.AbstractEventLoop,
        caches: Caches,
        kinds: Sequence[Kind],
        reporter: Reporter,
    ) -> None:
        self._client, self._loop, self._caches, self._reporter = client, loop, caches, reporter
        self._kinds = {(kind.api_version, kind.kind): kind for kind in kinds}
        self._installed: dict[Kind, tuple[float, bool]] = {}
        self._wrote: dict[tuple[str, str, str], str] = {}

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        if kind in self._caches:
            return self._caches.get(kind, namespace, name)
        return self.read(kind, namespace, name)

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        if self._caches.holds(kind, labels):
            return self._caches.list(kind, namespace, labels)
        everywhere = (self._caches.namespaces if kind.namespaced else ()) or ("",)
        found: list[Object] = []
        for one in (namespace,) if namespace else everywhere:
            found += self._call(
                resource_of(kind), kind.plural, self._client.list(resource_of(kind), one, labels=labels)
            )
        return found

    def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        async def live() -> Object | None:
            try:
                return await self._client.get(resource_of(kind), namespace, name)
            except NotFound:
                return None

        return self._call(resource_of(kind), f"{kind.kind} {namespace}/{name}", live())

    def events(self, kind: Kind, namespace: str, name: str, reason: str) -> Sequence[Object]:
        fields = f"involvedObject.kind={kind.kind},involvedObject.name={name},reason={reason}"
        found = self._call(EVENTS, "events", self._client.list(EVENTS, namespace, fields=fields))
        return sorted(found, key=happened)

    def installed(self, kind: Kind) -> bool:
        if kind in self._caches:
            return any(reflector.installed for reflector in self._caches.of(kind))
        asked_s, answer = self._installed.get(kind, (float("-inf"), False))
        if time.monotonic() - asked_s > INSTALLED_FOR_S:
            answer = self._call(resource_of(kind), kind.plural, self._client.installed(resource_of(kind)))
            self._installed[kind] = time.monotonic(), answer
        return answer

    def create(self, obj: Object, *, account: str = "") -> Object | None:
        resource, user = self._resource(obj), user_of(obj, account)

        async def made() -> Object | None:
            try:
                return await self._kept(self._client.create(resource, obj, user=user))
            except AlreadyExists:
                return None

        return self._call(resource, named(obj), made())

    def apply(self, obj: Object, *, account: str = "", dry_run: bool = False) -> Object:
        applied = self._client.apply(
            self._resource(obj),
            obj,
            manager=FIELD_MANAGER,
            force=True,
            user=user_of(obj, account),
            dry_run=dry_run,
        )
        if dry_run:
            return self._call(self._resource(obj), named(obj), applied)
        return self._written(obj, applied)

    def replace(self, obj: Object, *, account: str = "") -> Object:
        return self._written(obj, self._client.replace(self._resource(obj), obj, user=user_of(obj, account)))

    def write_status(self, obj: Object) -> Object:
        return self._written(obj, self._client.write_status(self._resource(obj), obj))

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", account: str = "") -> None:
        user = f"system:serviceaccount:{namespace}:{account}" if account else ""

        async def gone() -> None:
            try:
                left = await self._client.delete(resource_of(kind), namespace, name, uid=uid, user=user)
            except (NotFound, Stale):
                return
            # With a finalizer or a grace period it stays for a while, with the time of its deletion.
            if left.get("kind") == kind.kind and left["metadata"].get("deletionTimestamp"):
                self._caches.assume(left, kind)
            elif (held := self._caches.get(kind, namespace, name)) is not None and uid in ("", uid_of(held)):
                self._caches.assume_deleted(held, kind)

        self._call(resource_of(kind), f"{kind.kind} {namespace}/{name}", gone())

    def report(
        self,
        about: Object,
        reason: str,
        note: str,
        *,
        warning: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        self._reporter.report(about, reason, note, warning=warning, annotations=annotations)

    def wrote(self, obj: Object) -> bool:
        """Whether this version of an object is our own last write of it."""
        return self._wrote.get(_key(obj)) == str(obj["metadata"].get("resourceVersion", ""))

    def forget(self, obj: Object) -> None:
        """The object is gone."""
        self._wrote.pop(_key(obj), None)

    def _written(self, obj: Object, writing: Coroutine[Any, Any, Object]) -> Object:
        return self._call(self._resource(obj), named(obj), self._kept(writing))

    async def _kept(self, writing: Coroutine[Any, Any, Object]) -> Object:
        """What is written is read at once."""
        found = await writing
        self._wrote[_key(found)] = str(found["metadata"]["resourceVersion"])
        self._caches.assume(found, self._kind(found))
        return found

    def _call(self, resource: Resource, about: str, call: Coroutine[Any, Any, T]) -> T:
        with told(resource, about):
            return waited(call, self._loop, WAIT_S)

    def _kind(self, obj: Object) -> Kind:
        return self._kinds[(str(obj["apiVersion"]), str(obj["kind"]))]

    def _resource(self, obj: Object) -> Resource:
        return resource_of(self._kind(obj))


@contextmanager
def told(resource: Resource, about: str) -> Iterator[None]:
    """The runtime's errors in the port's words."""
    try:
        yield
    except Fenced as error:
        raise Conflict(f"{about}: {error}") from error
    except Stale as error:
        raise Conflict(f"{about}: {error}") from error
    except UnknownKind as error:
        because, line = missing(resource.group, resource.kind)
        raise NotInstalled(because, remedy=line) from error
    except (Invalid, NotAllowed) as error:
        if error.status == 401:
            raise SurroundingsFailed(f"{about}: {error}") from error
        raise Refused(f"{about}: {error}", reason=error.reason) from error
    except ApiError as error:
        raise SurroundingsFailed(f"{about}: {error}") from error


def user_of(obj: Object, account: str) -> str:
    """Whom to impersonate; "" for ourselves."""
    return f"system:serviceaccount:{obj['metadata']['namespace']}:{account}" if account else ""


def named(obj: Object) -> str:
    metadata = obj["metadata"]
    return f"{obj['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _key(obj: Object) -> tuple[str, str, str]:
    metadata = obj["metadata"]
    return str(obj["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])
