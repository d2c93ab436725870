"""The ASGI front: answers predictions itself and hands everything else to KServe's application.

Routing, dependency injection and the timing middleware of KServe's FastAPI application cost several times
what a prediction does. Requests with binary tensors or CloudEvents still go through it.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import orjson

from trimtab.api.errors import TrimtabError
from trimtab.serving.explainer import Explainer
from trimtab.serving.service import Answer, Service, failure
from trimtab.serving.values import RequestRefused

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY_BYTES: Final = 16 << 20
TOO_LARGE: Final = f"the body is larger than {MOST_BODY_BYTES} bytes; send fewer rows a request"
MOST_WAITING: Final = 16
_JSON: Final = (b"content-type", b"application/json")
_FOREIGN: Final = frozenset((b"inference-header-content-length", b"ce-specversion"))
_PREDICT_V2: Final = re.compile(r"/v2/models/([^/]+)/infer")
_PREDICT_V1: Final = re.compile(r"/v1/models/([^/]+):predict")
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,200}")


class Front:
    """The server's ASGI application.

    Args:
        service: what answers predictions.
        kserve: KServe's application.
        explainer: answers V1's explain.
    """

    def __init__(self, service: Service, kserve: Application, explainer: Explainer) -> None:
        self._service = service
        self._kserve = kserve
        self._direct = direct_paths(service)
        self._explain_path = f"/v1/models/{service.model_name}:explain"
        self._explainer = explainer
        self._explaining = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._kserve(scope, receive, send)
            return
        request_id, warmup, length, foreign = headers_of(scope["headers"])
        answer = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        if length > MOST_BODY_BYTES:
            refused = too_large(self._service, request_id, warmup)
            await _respond(send, refused, request_id, close=True)
        elif answer is not None and not foreign:
            body = await _whole(receive)
            if body is None:
                refused = too_large(self._service, request_id, warmup)
                await _respond(send, refused, request_id, close=True)
            elif not isinstance(body, Gone):
                await _respond(send, answer(body, request_id.decode(), warmup=warmup), request_id)
        elif scope["method"] == "POST" and scope["path"] == self._explain_path and not foreign:
            body = await _whole(receive)
            if body is None:
                await _respond(send, too_long(), request_id, close=True)
            elif not isinstance(body, Gone):
                await _respond(send, await self._explained(body), request_id)
        elif scope["path"] == "/trimtab/logged":
            await _respond(send, Answer(200, orjson.dumps(self._logged())), request_id)
        elif name := self._other_model(scope):
            missing = {"error": f"Model with name {name} does not exist."}
            await _respond(send, Answer(404, orjson.dumps(missing)), request_id, close=True)
        else:
            scope["headers"] = [*scope["headers"], (b"x-request-id", request_id)]
            await self._kserve(scope, _limited(receive, MOST_BODY_BYTES), _with_id(send, request_id))

    async def _explained(self, body: bytes) -> Answer:
        """One explanation at a time, in a thread of its own: predictions go on meanwhile."""
        if self._waiting >= MOST_WAITING:
            return failure(503, TrimtabError(f"{MOST_WAITING} explanations wait already; ask again later"))
        self._waiting += 1
        try:
            async with self._explaining:
                prepared = self._explainer.prepare(body)
                return prepared if isinstance(prepared, Answer) else await asyncio.to_thread(prepared)
        finally:
            self._waiting -= 1

    def _other_model(self, scope: Scope) -> str | None:
        """The name in a prediction's path that is not the served one."""
        if scope["method"] != "POST":
            return None
        path: str = scope["path"]
        match = _PREDICT_V2.fullmatch(path) or _PREDICT_V1.fullmatch(path)
        return match[1] if match and match[1] != self._service.model_name else None

    def _logged(self) -> dict[str, int]:
        log = self._service.payloads
        if log is None:
            return {
                "pid": os.getpid(),
                "handled": sum(self._service.statuses.values()),
                "logged": 0,
                "dropped": 0,
                "in_flight": 0,
            }
        return {
            "pid": os.getpid(),
            "handled": log.handled,
            "logged": log.logged,
            "dropped": log.dropped,
            "in_flight": log.in_flight,
        }


def direct_paths(service: Service) -> dict[str, Callable[..., Answer]]:
    """By path of a POST, what answers it."""
    return {
        f"/v2/models/{service.model_name}/infer": service.v2,
        f"/v1/models/{service.model_name}:predict": service.v1,
    }


def too_large(service: Service, request_id: bytes, warmup: bool) -> Answer:
    """The answer to a body of more than `MOST_BODY_BYTES`."""
    return service.refused(request_id.decode(), RequestRefused(TOO_LARGE), warmup=warmup)


def too_long() -> Answer:
    """The same for an explanation, which is counted nowhere."""
    return failure(400, RequestRefused(TOO_LARGE))


def headers_of(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bool, int, bool]:
    """Request id (made where none came), warm-up, declared body length, and whether KServe must decode it."""
    request_id = b""
    warmup = foreign = False
    length = 0
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value
        elif name == b"content-length":
            length = int(value)
        elif name == b"x-trimtab-warmup":
            warmup = value == b"1"
        elif name in _FOREIGN or (name == b"content-type" and value.startswith(b"application/cloudevents")):
            foreign = True
    return request_id_of(request_id), warmup, length, foreign


def request_id_of(sent: bytes) -> bytes:
    """The id that a request came with; one that is made where none came, or one that no log should hold."""
    return sent if _REQUEST_ID.fullmatch(sent) else os.urandom(16).hex().encode()


class Gone:
    """Stands for a body whose sender went away."""


async def _whole(receive: Receive) -> bytes | Gone | None:
    """A request's body; None where it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            return None
    return body if message["type"] == "http.request" else Gone()


async def _respond(send: Send, answer: Answer, request_id: bytes, *, close: bool = False) -> None:
    headers = [
        _JSON,
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", request_id),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _limited(receive: Receive, most: int) -> Receive:
    """`receive` that ends a body which grows past `most`: KServe's application then sees the client gone."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= most else {"type": "http.disconnect"}

    return limited


def _with_id(send: Send, request_id: bytes) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
        await send(message)

    return sender
