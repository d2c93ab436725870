"""A bounded number of kept-alive connections that send an hour's requests through the gateway.

No request is sent twice: what fails is counted as failed, as a user would.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from trimtab.local.replay.world import Request

ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status; 0 when the connection broke or timed out.
        seconds: from the request's first byte to the answer's last.
    """

    status: int
    seconds: float
    body: bytes


def draw(seed: int, request_id: str) -> int:
    """The seeded draw of a request, uniform over uint64: which revision answers depends on nothing else."""
    digest = hashlib.blake2b(f"{seed}/{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, one request at a time (RFC 9112)."""

    def __init__(self) -> None:
        import httptools

        self._parser_of = httptools.HttpResponseParser
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._body: list[bytes] = []
        self._keep = True

    @property
    def open(self) -> bool:
        return self._transport is not None and self._keep and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def send(self, data: bytes) -> tuple[int, bytes]:
        assert self._transport is not None
        self._parser = self._parser_of(self)
        self._body = []
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await asyncio.wait_for(self._waiting, ANSWER_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._keep = self._parser.should_keep_alive()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the gateway closed the connection"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Client:
    """Sends requests to one address; `connections` at a time.

    Args:
        url: the gateway's, such as http://127.0.0.1:8080.
        path: of the inference endpoint.
        seed: of the draw.
        name: what the Host header says; default the address.
    """

    def __init__(self, url: str, path: str, seed: int, connections: int = 8, name: str = "") -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._name = name or f"{self._host}:{self._port}"
        self._path, self._seed = path, seed
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(connections)

    async def send_all(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in their order."""
        return list(await asyncio.gather(*(self._send(request) for request in requests)))

    async def _send(self, request: Request) -> Answer:
        async with self._slots:
            began = time.perf_counter()
            try:
                connection = await self._connection()
                status, body = await connection.send(self._wire(request))
            except (OSError, TimeoutError):
                return Answer(0, time.perf_counter() - began, b"")
            if connection.open:
                self._idle.append(connection)
            return Answer(status, time.perf_counter() - began, body)

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        _, made = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return made

    def _wire(self, request: Request) -> bytes:
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: {self._name}\r\ncontent-type: application/json\r\n"
            f"x-request-id: {request.id}\r\nx-trimtab-draw: {draw(self._seed, request.id)}\r\n"
            f"content-length: {len(request.body)}\r\n\r\n"
        )
        return head.encode() + request.body

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
