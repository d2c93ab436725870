"""Stands between a client and an API server, records each call, and does harm to order.

    with FaultProxy(plane.admin) as proxy:
        kubeconfig = proxy.login.write(tmp_path / "kubeconfig")
        proxy.answer("PUT", "/status$", 409, times=1)
        held = proxy.hold("PUT", "/httproutes/")
        …
        assert held.release() == 409

The way to the proxy is plain HTTP on 127.0.0.1; the proxy itself speaks TLS, as the login that it was given, unless
the caller brings a token. It runs in a thread of its own, so that sync and async tests and processes can be harmed.
"""

import asyncio
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.cluster.kube.fault_rules import Harm, Held, Recorded, Rule, Which
from tests.cluster.kube.kubeconfig import Login

HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}


class FaultProxy:
    """Calls go through unharmed until a method below says otherwise. The newest rule that fits is the one."""

    def __init__(self, upstream: Login) -> None:
        self.calls: list[Recorded] = []
        self._upstream = upstream
        self._rules: list[Rule] = []
        self._eaten: set[object] = set()  # kept, so that no other gets the place of one that is gone
        self._hole = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._port = 0

    @property
    def login(self) -> Login:
        """For whoever shall go through."""
        return Login(f"http://127.0.0.1:{self._port}", self._upstream.authority, "")

    def answer(
        self,
        method: str,
        path: str,
        status: int,
        *,
        reason: str = "",
        retry_after_s: int | None = None,
        times: float = 1,
    ) -> Rule:
        """Say so instead of the API server, which never hears of the call. `path` is a regular expression."""
        words = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}
        body = _status(status, reason or words.get(status, "Unknown"))
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}

        async def say(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            call.status = status
            return web.json_response(body, status=status, headers=headers)

        return self._rule(method, path, say, times)

    def lose_answer(self, method: str, path: str, *, times: float = 1) -> Rule:
        """Do it, and cut the connection instead of telling."""

        async def lose(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            async with self._forward(request, call, await request.read()) as response:
                await response.read()
            return _abort(request)

        return self._rule(method, path, lose, times)

    def hang(self, method: str, path: str, *, times: float = 1) -> Rule:
        """Take the call in and never answer."""

        async def hang(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            return await self._never()

        return self._rule(method, path, hang, times)

    def cut(self, path: str, *, times: float = 1) -> Rule:
        """Cut a watch in the middle of its next line."""

        async def cut(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            async with self._forward(request, call, b"") as response:
                answer = await _begin(request, response)
                async for chunk in response.content.iter_any():
                    await answer.write(chunk[: max(1, len(chunk) // 2)])
                    break
            return _abort(request)

        return self._rule("GET", path, cut, times)

    def expire(self, path: str, *, times: float = 1) -> Rule:
        """Tell a watch 410 in its stream, as an API server does that has compacted its history."""

        async def expire(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            call.status = 410
            line = json.dumps({"type": "ERROR", "object": _status(410, "Expired")}) + "\n"
            return web.Response(text=line, content_type="application/json")

        return self._rule("GET", path, expire, times)

    def hold(self, method: str, path: str) -> Held:
        """Keep the next such call in flight."""
        held = Held()

        async def hold(request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
            body = await request.read()
            held.arrived.set()
            await self._loop.run_in_executor(None, held._go.wait)
            async with self._forward(request, call, body) as response:
                held._answered.set_result(response.status)
                return web.Response(
                    body=await response.read(), status=response.status, content_type="application/json"
                )

        self._rule(method, path, hold, 1)
        return held

    def lift(self, *rules: Rule) -> None:
        """Take these rules back; without one named, all."""
        self._rules = [rule for rule in self._rules if rules and rule not in rules]

    def cut_all(self) -> None:
        """Reset every connection there is."""
        self._do(self._cut_all())

    def black_hole(self) -> None:
        """Answer nothing, close nothing. The connections there are stay lost, even when it is over."""
        self._do(self._swallow(True))

    def heal(self) -> None:
        """New connections are answered again."""
        self._do(self._swallow(False))

    def refuse(self) -> None:
        """Reset the connections there are and listen no more."""
        self._do(self._refuse())

    def accept(self) -> None:
        """Listen again, where it was."""
        self._do(self._listen())

    def count(self, method: str, path: str) -> int:
        """How many such calls came in."""
        which = Which(method, path)
        return sum(which.fits(call) for call in list(self.calls))

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _rule(self, method: str, path: str, harm: Harm, times: float) -> Rule:
        rule = Rule(Which(method, path), harm, times)
        self._rules.insert(0, rule)
        return rule

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(120)

    async def _start(self) -> None:
        self._end = asyncio.Event()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_tls(self._upstream)),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        self._server = web.Server(self._handle)
        self._listening: asyncio.Server | None = None
        await self._listen()

    async def _listen(self) -> None:
        if self._listening is None:
            self._listening = await self._loop.create_server(
                self._server, "127.0.0.1", self._port, reuse_address=True
            )
            self._port = self._listening.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await self._cut_all()

    async def _stop(self) -> None:
        self._end.set()
        await self._refuse()
        await self._session.close()  # ends what is being passed on
        await self._server.shutdown(1.0)
        left = asyncio.all_tasks() - {asyncio.current_task()}  # calls that were to hang for ever
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _cut_all(self) -> None:
        for connection in list(self._server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _swallow(self, hole: bool) -> None:
        self._hole = hole
        if hole:
            self._eaten |= {connection.transport for connection in self._server.connections}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Recorded(
            request.method,
            request.path,
            request.query_string,
            request.headers.get("Impersonate-User", ""),
            time.monotonic(),
        )
        self.calls.append(call)
        if self._hole:
            self._eaten.add(request.transport)
        if self._lost(request, call):
            return await self._never()
        rule = next((rule for rule in self._rules if rule.fits(call)), None)
        try:
            if rule:
                rule.left -= 1
                call.harmed = True
                return await rule.harm(request, call)
            return await self._pass_on(request, call)
        except (aiohttp.ClientError, ConnectionError):
            return _abort(request)

    async def _pass_on(self, request: web.BaseRequest, call: Recorded) -> web.StreamResponse:
        body = await request.read()
        async with self._forward(request, call, body) as response:
            if self._lost(request, call):
                return await self._never()
            answer = await _begin(request, response)  # at once: a watch may be idle for a minute
            async for chunk in response.content.iter_any():
                if self._lost(request, call):
                    return await self._never()
                await answer.write(chunk)
            if self._lost(request, call):
                return await self._never()
            await answer.write_eof()
            return answer

    def _lost(self, request: web.BaseRequest, call: Recorded) -> bool:
        """Whether a black hole has eaten the connection."""
        call.harmed = call.harmed or request.transport in self._eaten
        return request.transport in self._eaten

    def _forward(self, request: web.BaseRequest, call: Recorded, body: bytes) -> "_Forwarded":
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        if isinstance(self._upstream.credentials, str):
            headers["Authorization"] = f"Bearer {self._upstream.credentials}"
        return _Forwarded(
            call,
            self._session.request(
                request.method,
                f"{self._upstream.server}{request.path_qs}",
                headers=headers,
                data=body or None,
            ),
        )

    async def _never(self) -> web.StreamResponse:
        await self._end.wait()
        raise ConnectionResetError


class _Forwarded:
    """A call on its way, which is noted in its record."""

    def __init__(self, call: Recorded, request: Any) -> None:
        self._call, self._request = call, request

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._call.forwarded = time.monotonic()
        response: aiohttp.ClientResponse = await self._request.__aenter__()
        self._call.status = response.status
        return response

    async def __aexit__(self, *error: Any) -> None:
        await self._request.__aexit__(*error)


async def _begin(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}
    if "Content-Encoding" in response.headers:
        headers["Content-Encoding"] = response.headers["Content-Encoding"]
    answer = web.StreamResponse(status=response.status, headers=headers)
    await answer.prepare(request)
    return answer


def _abort(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def _status(code: int, reason: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "by the fault proxy",
        "reason": reason,
        "code": code,
    }


def _tls(login: Login) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=login.authority.decode())
    if not isinstance(login.credentials, str):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "crt"), Path(folder, "key")
            certificate.write_bytes(login.credentials.certificate)
            key.touch(mode=0o600)
            key.write_bytes(login.credentials.key)
            context.load_cert_chain(certificate, key)
    return context
