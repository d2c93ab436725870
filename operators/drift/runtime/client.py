"""The API server's verbs over plain JSON objects."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, Self

from operators.drift.runtime.calls import Call, Calls
from operators.drift.runtime.credentials import Credentials
from operators.drift.runtime.errors import NotFound
from operators.drift.runtime.fenced import Fence
from operators.drift.runtime.request import APPLY, MERGE, Request, selectors
from operators.drift.runtime.resource import Object, Resource, key_of
from operators.drift.runtime.session import Session
from operators.drift.runtime.watch import QUIET_S, Event, watching


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, all parts of one moment: `version` is that moment's."""

    items: Sequence[Object]
    version: str
    continue_from: str


class Client:
    """Calls of one identity to one API server, made by `connect`; `behind` gives the same client, fenced."""

    def __init__(self, calls: Calls, fence: Fence | None = None) -> None:
        self._calls, self._fence = calls, fence

    @classmethod
    async def connect(
        cls,
        kubeconfig: str | None = None,
        *,
        context: str | None = None,
        user_agent: str = "operator-runtime",
        timeout_s: float = 10.0,
        on_call: Callable[[Call], None] = lambda call: None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> Self:
        """A client of the kubeconfig; without one, of the pod that this runs in, else of $KUBECONFIG.

        Args:
            timeout_s: for each call but watches, from first to last byte.
            on_call: told of each call that ended, and of each watch that was answered.
            on_warning: told what the API server warns of (RFC 7234 299), such as a deprecated version.
        """
        credentials = await Credentials.load(kubeconfig, context)
        return cls(Calls(Session(credentials, user_agent, timeout_s), on_call, on_warning))

    def behind(self, fence: Fence) -> "Client":
        """This client with every write checked by `fence` at the moment before its first byte is sent."""
        return Client(self._calls, fence)

    def on_outage(self, callback: Callable[[], None]) -> None:
        """Have `callback` told when a call got no answer: connections that stay open may be dead too.

        HTTP/2 clients learn it by pings on the one connection that all share (client-go: ReadIdleTimeout 30 s).
        """
        self._calls.on_outage(callback)

    def unanswered(self) -> None:
        """Tell those callbacks of a call that its caller gave up before its time was over."""
        self._calls.unanswered()

    async def close(self) -> None:
        await self._calls.session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """
        Raises:
            NotFound: no such object.
        """
        found: Object = await self._calls.answer(Request("get", resource, namespace, name))
        return found

    async def list_page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
        limit: int = 500,
        continue_from: str = "",
    ) -> Page:
        """Up to `limit` objects of a namespace ("" for all), as new as the newest write.

        Raises:
            Expired: the list that `continue_from` goes on with is too old: begin again.
        """
        query = selectors(labels, fields) | {"limit": str(limit), "continue": continue_from}
        body = await self._calls.answer(Request("list", resource, namespace, query=query))
        found = body.get("metadata", {})
        items = body.get("items") or []
        for item in items:  # a list's items go without what the list says once
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return Page(items, str(found.get("resourceVersion", "")), str(found.get("continue", "")))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
    ) -> Sequence[Object]:
        """All objects of a namespace ("" for every one), page by page."""
        page = await self.list_page(resource, namespace, labels=labels, fields=fields)
        items = list(page.items)
        while page.continue_from:
            page = await self.list_page(
                resource, namespace, labels=labels, fields=fields, continue_from=page.continue_from
            )
            items += page.items
        return items

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        since: str,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
        ends_after_s: float = 300.0,
        quiet_s: float = QUIET_S,
    ) -> AsyncGenerator[Event, None]:
        """What happened after `since`, as it happens, bookmarks included, until the API server ends it.

        Raises:
            Expired: `since` is too old.
            Unavailable: cut off, or silent for `quiet_s`.
        """
        query = selectors(labels, fields) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(round(ends_after_s)),
        }
        return watching(self._calls, Request("watch", resource, namespace, query=query), quiet_s)

    async def create(
        self, resource: Resource, obj: Object, *, user: str = "", dry_run: bool = False
    ) -> Object:
        """
        Raises:
            AlreadyExists: one of this name is there.
        """
        namespace = obj["metadata"].get("namespace", "")
        return await self._write(Request("create", resource, namespace, body=obj, user=user), dry_run)

    async def apply(
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
        """Server-side apply: make the object's fields that are given so, and own them.

        Raises:
            Conflict: another owns a field and `force` is off, or metadata.resourceVersion was given and is old.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._write(
            Request("patch", resource, *key_of(obj), subresource, query, obj, APPLY, user), dry_run
        )

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        *,
        subresource: str = "",
        user: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Write the whole object as it was read and changed.

        Raises:
            Conflict: somebody wrote since metadata.resourceVersion.
            ValueError: there is none: that would overwrite whatever is there.
        """
        if not obj["metadata"].get("resourceVersion"):
            raise ValueError(
                f"{resource} {'/'.join(key_of(obj))}: a replacement needs metadata.resourceVersion"
            )
        return await self._write(
            Request("update", resource, *key_of(obj), subresource, body=obj, user=user), dry_run
        )

    async def write_status(self, resource: Resource, obj: Object, *, user: str = "") -> Object:
        """Replace the status subresource; the rest of `obj` is ignored but for its resourceVersion."""
        return await self.replace(resource, obj, subresource="status", user=user)

    async def merge_patch(
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
        """RFC 7396: what is given is set, null deletes. With metadata.resourceVersion it is refused when old."""
        return await self._write(
            Request("patch", resource, namespace, name, subresource, {}, patch, MERGE, user), dry_run
        )

    async def delete(
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
        """Delete it if it is (where given) this very one, unchanged since `version`.

        Returns:
            The object where something still holds it back, else the API server's word.

        Raises:
            NotFound, Conflict: it is not there, or it is not this one.
        """
        preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if preconditions:
            options["preconditions"] = preconditions
        return await self._write(Request("delete", resource, namespace, name, body=options, user=user))

    async def raw(self, path: str) -> Any:
        """GET of a path that is no object's: /version, /apis/<group>/<version>."""
        return await self._calls.answer(Request("get", None, name=path))

    async def installed(self, resource: Resource) -> bool:
        """Whether discovery names the kind."""
        try:
            found = await self.raw(resource.root)
        except NotFound:
            return False
        return any(each["name"] == resource.plural for each in found.get("resources", ()))

    async def _write(self, request: Request, dry_run: bool = False) -> Object:
        if dry_run:
            request = replace(request, query={**request.query, "dryRun": "All"})
        with self._fence.passing() if self._fence else nullcontext():
            if self._fence:
                self._fence.check()
            written: Object = await self._calls.answer(request, self._fence)
        return written
