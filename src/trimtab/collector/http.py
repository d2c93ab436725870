"""Just enough HTTP/1.1 for a sink: one protocol object a connection, one handler a request.

httptools parses; answers on a connection leave in the order of its requests. A handler answers through
`Request.answer`, at once or later.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_to_bytes

import httptools
import msgspec

LARGEST_BODY_BYTES = 32 << 20
LARGEST_HEAD_BYTES = 64 << 10
JSON = b"application/json"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"

_heads: dict[tuple[int, bytes], bytes] = {}


def head(status: int, content_type: bytes) -> bytes:
    key = status, content_type
    if key not in _heads:
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        _heads[key] = line + b"content-type: " + content_type + b"\r\ncontent-length: "
    return _heads[key]


class Request:
    """One request and the way to answer it, once."""

    __slots__ = ("_connection", "body", "headers", "keep_alive", "method", "target")

    def __init__(
        self,
        connection: "Connection",
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive

    @property
    def path(self) -> str:
        return unquote_to_bytes(httptools.parse_url(self.target).path or b"/").decode("utf-8", "replace")

    @property
    def query(self) -> dict[str, str]:
        text = (httptools.parse_url(self.target).query or b"").decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    def answer(self, status: int, body: bytes, content_type: bytes = JSON) -> None:
        self._connection.send(status, body, content_type, self.keep_alive)

    def refuse(self, status: int, message: str, remedy: str | None = None) -> None:
        """An error as JSON: what is wrong, and what to do."""
        told: dict[str, Any] = {"error": message}
        if remedy:
            told["remedy"] = remedy
        self.answer(status, msgspec.json.encode(told))


class Connection(asyncio.Protocol):
    """A connection's parser state.

    Args:
        handle: called with each whole request.
        settle: answers whatever still waits; called before a second request of one connection is handled.
        connections: where this one registers while it is open.
    """

    def __init__(
        self,
        handle: Callable[[Request], None],
        settle: Callable[[], None],
        connections: "set[Connection]",
    ) -> None:
        self._handle = handle
        self._settle = settle
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._unanswered = 0
        self._closing = False
        self._refused = 0
        self._start()

    def _start(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._parts: list[bytes] = []
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._parser = None  # it holds this object's methods: a cycle
        self._connections.discard(self)

    def eof_received(self) -> None:
        """A client may close its side once it has asked: it gets its answers before we close ours."""
        self._settle()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._hang_up(400, "this server speaks HTTP/1.1 only")
        except httptools.HttpParserError as error:
            if self._refused:
                self._hang_up(self._refused, "the request is too large")
            else:
                self._hang_up(400, f"not HTTP: {error}")

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._grow_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
        self._grow_head(len(name) + len(value))

    def _grow_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD_BYTES:
            self._refused = 431
            raise OverflowError

    def on_headers_complete(self) -> None:
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > LARGEST_BODY_BYTES:
            self._refused = 413
            raise OverflowError
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > LARGEST_BODY_BYTES:
            self._refused = 413
            raise OverflowError
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._unanswered:
            self._settle()
        request = Request(
            self,
            self._parser.get_method(),
            self._target,
            self._headers,
            self._parts[0] if len(self._parts) == 1 else b"".join(self._parts),
            self._parser.should_keep_alive(),
        )
        self._start()
        self._unanswered += 1
        self._handle(request)

    def send(self, status: int, body: bytes, content_type: bytes, keep_alive: bool) -> None:
        self._unanswered -= 1
        if self._transport is None:
            return
        end = b"\r\n\r\n" if keep_alive and not self._closing else b"\r\nconnection: close\r\n\r\n"
        self._transport.write(head(status, content_type) + str(len(body)).encode() + end + body)
        if not keep_alive or self._closing:
            self._closing = True
            self._transport.close()

    def _hang_up(self, status: int, message: str) -> None:
        self._settle()
        self._closing = True
        self._unanswered += 1
        self.send(status, msgspec.json.encode({"error": message}), JSON, keep_alive=False)

    def drain(self) -> None:
        """Close now, or after the answer that is still owed."""
        self._closing = True
        if not self._unanswered and self._transport:
            self._transport.close()
