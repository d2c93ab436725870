"""One kept-alive HTTP connection to the payload sink."""

import asyncio
from urllib.parse import urlsplit

import httptools

from trimtab.api.errors import InputRefused

TIMEOUT_S = 10.0


class SinkFailed(Exception):
    """The sink did not answer; what was sent may or may not have arrived."""


class Sink:
    """Posts bodies to an address, one after another.

    Args:
        url: http:// or https:// address; the path is kept.

    Raises:
        InputRefused: no such address.
    """

    def __init__(self, url: str, content_type: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputRefused(
                f"--sink {url}: not an address", remedy="write http://HOST:PORT/, the collector's address"
            )
        self._host = parts.hostname
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: "
        ).encode()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes) -> int:
        """The status of the answer.

        Raises:
            SinkFailed: no connection, none kept up, no HTTP, or no answer within 10 s.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(body)
        except (OSError, EOFError, TimeoutError, httptools.HttpParserError) as error:
            self.close()
            raise SinkFailed(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise

    async def _post(self, body: bytes) -> int:
        if self._writer is None or self._reader is None or self._writer.is_closing() or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls or None
            )
        self._writer.writelines((self._head, str(len(body)).encode(), b"\r\n\r\n", body))
        await self._writer.drain()
        answer = _Answer()
        while not answer.complete:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError("the sink closed the connection")
            answer.parser.feed_data(data)
        if not answer.kept_alive:
            self.close()
        return int(answer.parser.get_status_code())

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class _Answer:
    """Callbacks of httptools: notes when the answer is whole, and whether the connection goes on.

    The parser knows the latter only until it returns from the callback.
    """

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.complete = False
        self.kept_alive = False

    def on_message_complete(self) -> None:
        self.complete = True
        self.kept_alive = bool(self.parser.should_keep_alive())
