"""The API server's verbs over plain JSON objects: each call ends in time, each failure has its type.

kubernetes_asyncio knows how to log in (credentials.py) and what the TLS settings are; its generated models and its
watch are left aside: they cost a copy of every object, and a watch that meets a 410 retries with the same version.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from kubernetes_asyncio.client import Configuration

from operators.drift.runtime.credentials import Credentials
from operators.drift.runtime.errors import ApiError, NotFound, Unavailable, from_status
from operators.drift.runtime.fenced import Fence
from operators.drift.runtime.resource import Object, Resource, key_of
from operators.drift.runtime.stream import lines

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML: what kubectl sends too
MERGE: Final = "application/merge-patch+json"
QUIET_S: Final = 90.0
"""An API server sends a bookmark a minute; a watch without a byte for longer is dead."""

Verb = Literal["get", "list", "watch", "create", "patch", "update", "delete"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as RBAC and a metric see it.

    Attributes:
        resource: None for a path that is no object's, such as /version.
        status: of HTTP; 0 when no answer came.
        user: who was impersonated.
    """

    verb: Verb
    resource: Resource | None
    subresource: str
    namespace: str
    status: int
    seconds: float
    user: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, all parts of one moment: `version` is that moment's."""

    items: Sequence[Object]
    version: str
    continue_from: str


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch tells. A bookmark's object has nothing but a resourceVersion."""

    type: EventType
    object: Object


class Client:
    """Calls of one identity to one API server. `behind` gives the same client, fenced."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        user_agent: str,
        timeout_s: float = 10.0,
        on_call: Callable[[Call], None] = lambda call: None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Needs a running event loop; `connect` is the usual way.

        Args:
            timeout_s: for each call but watches, from first to last byte.
            on_call: told of each call that ended, and of each watch that was answered.
            on_warning: told what the API server warns of (RFC 7234 299), such as a deprecated version.
        """
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._on_call = on_call
        self._on_warning = on_warning
        self._outage: list[Callable[[], None]] = []
        self._fence: Fence | None = None
        self._session = _session(credentials.configuration, user_agent, timeout_s)
        self._proxy = _proxy(credentials.configuration)

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
        """A client of the kubeconfig; without one, of the pod that this runs in, else of $KUBECONFIG."""
        credentials = await Credentials.load(kubeconfig, context)
        return cls(
            credentials, user_agent=user_agent, timeout_s=timeout_s, on_call=on_call, on_warning=on_warning
        )

    def behind(self, fence: Fence) -> "Client":
        """This client with every write checked by `fence` at the moment before its first byte is sent."""
        twin = object.__new__(type(self))
        twin.__dict__ = self.__dict__ | {"_fence": fence}
        return twin

    def on_outage(self, callback: Callable[[], None]) -> None:
        """Have `callback` told when a call got no answer: connections that stay open may be dead too.

        HTTP/2 clients learn it by pings on the one connection that all share (client-go: ReadIdleTimeout 30 s).
        """
        self._outage.append(callback)

    async def close(self) -> None:
        await self._session.close()

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
        found: Object = await self._call("get", "GET", resource, namespace, name)
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
        query = _selectors(labels, fields) | {"limit": str(limit)}
        if continue_from:
            query["continue"] = continue_from
        body = await self._call("list", "GET", resource, namespace, query=query)
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

    async def watch(
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
        query = _selectors(labels, fields) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(round(ends_after_s)),
        }
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s, sock_read=quiet_s)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._send("GET", resource.path(namespace), query, None, JSON, "", limits)
            async with response:
                seconds = time.monotonic() - started
                self._on_call(Call("watch", resource, "", namespace, response.status, seconds, ""))
                if response.status != 200:
                    raise _refusal(response, await response.read())
                async for line in lines(response.content):
                    yield _event(line)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise Unavailable(f"watch of {resource}: {_words(error)}") from error

    async def create(
        self, resource: Resource, obj: Object, *, user: str = "", dry_run: bool = False
    ) -> Object:
        """
        Raises:
            AlreadyExists: one of this name is there.
        """
        namespace, _ = key_of(obj) if obj["metadata"].get("name") else (obj["metadata"]["namespace"], "")
        return await self._write("create", "POST", resource, namespace, "", "", obj, user, dry_run)

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
        key = key_of(obj)
        return await self._write(
            "patch", "PATCH", resource, *key, subresource, obj, user, dry_run, query=query, content=APPLY
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
        key = key_of(obj)
        return await self._write("update", "PUT", resource, *key, subresource, obj, user, dry_run)

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
            "patch", "PATCH", resource, namespace, name, subresource, patch, user, dry_run, content=MERGE
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
        return await self._write("delete", "DELETE", resource, namespace, name, "", options, user, False)

    async def raw(self, path: str) -> Any:
        """GET of a path that is no object's: /version, /apis/<group>/<version>."""
        return await self._call("get", "GET", None, "", path)

    async def installed(self, resource: Resource) -> bool:
        """Whether discovery names the kind."""
        try:
            found = await self.raw(resource.root)
        except NotFound:
            return False
        return any(each["name"] == resource.plural for each in found.get("resources", ()))

    async def _write(
        self,
        verb: Verb,
        method: str,
        resource: Resource,
        namespace: str,
        name: str,
        subresource: str,
        body: Object,
        user: str,
        dry_run: bool,
        *,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
    ) -> Object:
        asked = dict(query or {}) | ({"dryRun": "All"} if dry_run else {})
        with self._fence.passing() if self._fence else nullcontext():
            if self._fence:
                self._fence.check()
            written: Object = await self._call(
                verb,
                method,
                resource,
                namespace,
                name,
                subresource,
                query=asked,
                body=body,
                content=content,
                user=user,
                fence=self._fence,
            )
        return written

    async def _call(
        self,
        verb: Verb,
        method: str,
        resource: Resource | None,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = JSON,
        user: str = "",
        fence: Fence | None = None,
    ) -> Any:
        path = resource.path(namespace, name, subresource) if resource else name
        limit_s = min(self._timeout_s, fence.remaining_s) if fence else self._timeout_s
        status, started = 0, time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                limits = aiohttp.ClientTimeout(total=None, sock_connect=limit_s)
                for attempt in ("first", "after a 401"):
                    response = await self._send(
                        method, path, query or {}, body, content, user, limits, fence, attempt != "first"
                    )
                    async with response:
                        status, answer = response.status, await response.read()
                    if status != 401 or not await self._credentials.authorization():
                        break
            for text in response.headers.getall("Warning", ()):
                self._on_warning(text)
            if not 200 <= status < 300:
                raise _refusal(response, answer)
            return msgspec.json.decode(answer)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            never_left = isinstance(error, aiohttp.ClientConnectorError)
            for told in self._outage:
                told()
            raise Unavailable(
                f"{method} {path}: {_words(error)}", maybe_sent=method != "GET" and not never_left
            ) from error
        finally:
            self._on_call(
                Call(verb, resource, subresource, namespace, status, time.monotonic() - started, user)
            )

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        content: str,
        user: str,
        limits: aiohttp.ClientTimeout,
        fence: Fence | None = None,
        rejected: bool = False,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": JSON}
        if token := await self._credentials.authorization(rejected=rejected):
            headers["Authorization"] = token
        if user:
            headers["Impersonate-User"] = user
        if body is not None:
            headers["Content-Type"] = content
        configuration = self._credentials.configuration
        guard = _GUARD.set(fence.check if fence else None)
        try:
            return await self._session.request(
                method,
                f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                headers=headers,
                data=None if body is None else msgspec.json.encode(body),
                timeout=limits,
                proxy=self._proxy,
                server_hostname=configuration.tls_server_name,
                allow_redirects=False,
            )
        finally:
            _GUARD.reset(guard)


_GUARD: ContextVar[Callable[[], None] | None] = ContextVar("guard", default=None)


class _GuardedRequest(aiohttp.ClientRequest):
    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        if check := _GUARD.get():
            check()
        return await super().send(conn)


def _session(configuration: Configuration, user_agent: str, timeout_s: float) -> aiohttp.ClientSession:
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE

    def connection(address: aiohttp.AddrInfoType) -> socket.socket:
        """One that the kernel gives up once its bytes, or its probes, stay unanswered.

        So nothing that was written before an outage is delivered long after it (RFC 5482).
        """
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_USER_TIMEOUT", round(timeout_s * 1000)),
            ("TCP_KEEPIDLE", 15),
            ("TCP_KEEPINTVL", 5),
        ):
            if hasattr(socket, option):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        return made

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=connection),
        headers={"User-Agent": user_agent},
        request_class=_GuardedRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _proxy(configuration: Configuration) -> str | None:
    """As configured, else as HTTPS_PROXY and NO_PROXY say. Once: aiohttp's `trust_env` reads them, and a netrc that
    nobody means for an API server, in other threads with each call."""
    if configuration.proxy:
        return str(configuration.proxy)
    address = urlsplit(str(configuration.host))
    return None if proxy_bypass(address.hostname or "") else getproxies().get(address.scheme)


def _selectors(labels: Mapping[str, str] | None, fields: str) -> dict[str, str]:
    """A label whose value is "" may have any."""
    asked = (f"{key}={value}" if value else key for key, value in (labels or {}).items())
    wanted = {"labelSelector": ",".join(asked)}
    return {key: value for key, value in (wanted | {"fieldSelector": fields}).items() if value}


def _event(line: bytes) -> Event:
    told = msgspec.json.decode(line)
    if told["type"] == "ERROR":
        status = told["object"]
        raise from_status(int(status.get("code") or 500), status)
    return Event(told["type"], told["object"])


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    retry_after = response.headers.get("Retry-After", "")
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:  # "404 page not found" of a path nobody serves, or a proxy's page
        status = {"message": body.decode(errors="replace").strip()[:200]}
    if not isinstance(status, Mapping):
        status = {}
    return from_status(response.status, status, float(retry_after) if retry_after.isdigit() else None)


def _words(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
