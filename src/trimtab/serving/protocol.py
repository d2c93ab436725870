"""HTTP connections that answer predictions as soon as the body is whole, without ASGI in between.

uvicorn makes a scope, a task, an event and four messages for each request, which costs more than most
predictions do. A prediction needs none of it: it is computed in one go. So uvicorn's protocol for httptools
is kept for everything else, and a request for a prediction is answered from the parser's callbacks.
A request that comes while an earlier one of its connection is not answered yet (pipelining) and one that
asks for "100 Continue" take uvicorn's way.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from trimtab.serving.front import MOST_BODY_BYTES, headers_of, too_large
from trimtab.serving.service import Answer, Service

_JSON: Final = b"content-type: application/json\r\ncontent-length: "


class PredictProtocol(HttpToolsProtocol):
    """One client's connection.

    Args:
        service: what answers predictions.
        direct: by the target of a POST, what answers it.
    """

    def __init__(
        self, service: Service, direct: Mapping[bytes, Callable[..., Answer]], **connection: Any
    ) -> None:
        super().__init__(**connection)
        self._service = service
        self._direct = direct
        self._answer: Callable[..., Answer] | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._request_id = b""
        self._warmup = False
        self._last = False

    def on_headers_complete(self) -> None:
        answer = self._direct.get(self.url)
        busy = self.cycle is not None and not self.cycle.response_complete
        if answer is None or busy or self.expect_100_continue or self.parser.get_method() != b"POST":
            super().on_headers_complete()
            return
        self._request_id, self._warmup, self._size, foreign = headers_of(self.headers)
        if foreign or self._size > MOST_BODY_BYTES or self.parser.should_upgrade():
            super().on_headers_complete()
            return
        self._answer, self._body, self._size = answer, [], 0

    def on_body(self, body: bytes) -> None:
        if self._answer is None:
            super().on_body(body)
            return
        self._size += len(body)
        if self._size <= MOST_BODY_BYTES:
            self._body.append(body)
        elif not self.transport.is_closing():
            self._last = True
            self._write(too_large(self._service, self._request_id, self._warmup))

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is None:
            super().on_message_complete()
            return
        self._answer = None
        if self.transport.is_closing():
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._last = self._last or not self.parser.should_keep_alive()
        self._write(answer(body, self._request_id.decode(), warmup=self._warmup))
        if not self._last:
            self.on_response_complete()
            if self.flow.write_paused:
                self.flow.pause_reading()

    def shutdown(self) -> None:
        """Part of the server's graceful end: a request whose body is still coming gets its answer first."""
        if self._answer is None:
            super().shutdown()
        else:
            self._last = True

    def pause_writing(self) -> None:
        """The client reads its answers too slowly: take no more requests from it."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()

    def _write(self, answer: Answer) -> None:
        parts = [STATUS_LINE[answer.status], _JSON, str(len(answer.body)).encode()]
        parts += [b"\r\nx-request-id: ", self._request_id]
        parts += [b"\r\nconnection: close\r\n\r\n" if self._last else b"\r\n\r\n", answer.body]
        self.transport.write(b"".join(parts))
        if self._last:
            self.transport.close()
