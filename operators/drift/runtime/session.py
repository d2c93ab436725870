"""One identity's connections to one API server: who it is, by which way, and the last check before a byte is sent.

kubernetes_asyncio knows how to log in (credentials.py) and what the TLS settings are; its generated models and its
watch are left aside: they cost a copy of every object, and a watch that meets a 410 retries with the same version.
"""

import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from kubernetes_asyncio.client import Configuration

from operators.drift.runtime.credentials import Credentials
from operators.drift.runtime.request import JSON, Request


class Session:
    """Sends requests as who the credentials say.

    Attributes:
        timeout_s: after which bytes that stay unanswered end a connection.
    """

    def __init__(self, credentials: Credentials, user_agent: str, timeout_s: float) -> None:
        """Needs a running event loop."""
        self.timeout_s = timeout_s
        self._credentials = credentials
        self._http = _http(credentials.configuration, user_agent, timeout_s)
        self._proxy = _proxy(credentials.configuration)

    async def close(self) -> None:
        await self._http.close()

    async def may_log_in_again(self) -> bool:
        """Whether there is a token, which another may follow."""
        return bool(await self._credentials.authorization())

    async def send(
        self,
        request: Request,
        limits: aiohttp.ClientTimeout,
        check: Callable[[], None] | None = None,
        *,
        rejected: bool = False,
    ) -> aiohttp.ClientResponse:
        """
        Args:
            check: called when a connection is there, before the first byte; what it raises ends the request.
            rejected: the same request was just answered 401.
        """
        headers = {"Accept": JSON}
        if token := await self._credentials.authorization(rejected=rejected):
            headers["Authorization"] = token
        if request.user:
            headers["Impersonate-User"] = request.user
        if request.body is not None:
            headers["Content-Type"] = request.content
        configuration = self._credentials.configuration
        guard = _GUARD.set(check)
        try:
            return await self._http.request(
                request.method,
                f"{configuration.host}{request.path_and_query}",
                headers=headers,
                data=None if request.body is None else msgspec.json.encode(request.body),
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


def _http(configuration: Configuration, user_agent: str, timeout_s: float) -> aiohttp.ClientSession:
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
