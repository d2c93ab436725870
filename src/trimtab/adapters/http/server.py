"""One server, a connection a call. A reconcile must be able to bear one that hangs, drips or talks nonsense."""

import http.client
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.http.trust import trusted
from trimtab.api.errors import InputRefused, SurroundingsFailed

MAX_ANSWER_BYTES: Final = 64_000_000
CHUNK_BYTES: Final = 1 << 16
REACHABLE: Final = "see that it runs and can be reached from here"


class HttpServer:
    """What answers at an http(s) address.

    Args:
        who: what it is, for messages.
        token_file: holds a bearer token, read anew for each call.
        ca_file: certificates to trust; None for the system's.
        timeout_s: in which a whole call ends.
        passing: around each call; may refuse to let it through.
        remedy: for who cannot reach it.
    """

    def __init__(
        self,
        who: str,
        uri: str,
        *,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 10.0,
        passing: Callable[[], AbstractContextManager[None]] = nullcontext,
        remedy: str = REACHABLE,
    ) -> None:
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise InputRefused(f"'{uri}' is no http address of {who}", remedy="give http://HOST:PORT")
        self.who, self.uri = who, uri.rstrip("/")
        self._https, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._token_file, self._ca_file, self._timeout_s = token_file, ca_file, timeout_s
        self._passing, self._remedy = passing, remedy

    def send(
        self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and content. A GET whose connection breaks is made once more.

        Args:
            body: sent as JSON; bytes as they are, under the content type that `headers` gives.

        Raises:
            SurroundingsFailed: it does not answer in time.
        """
        with self._passing():
            return self._sent(method, target, body, headers or {})

    def _sent(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            try:
                return self._once(method, target, body, headers)
            except (ConnectionError, http.client.HTTPException):
                if method != "GET":
                    raise
                return self._once(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise SurroundingsFailed(
                f"{self.who} at {self.uri} does not answer ({error or type(error).__name__})",
                remedy=self._remedy,
            ) from error

    def read(self, content: bytes) -> Any:
        """
        Raises:
            SurroundingsFailed: it is no JSON: something else answers at this address.
        """
        try:
            return json.loads(content)
        except ValueError as error:
            raise SurroundingsFailed(
                f"what answers at {self.uri} is not {self.who}: {content[:80]!r}",
                remedy=f"give the address of {self.who}: in platform.yaml, or in the operator's configuration",
            ) from error

    def _once(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_s
        connection: http.client.HTTPConnection
        if self._https:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=trusted(self._ca_file)
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, f"{self._prefix}{target}", sent, {**self._headers(), **headers})
            response = connection.getresponse()
            content = bytearray()
            while chunk := response.read1(CHUNK_BYTES):
                content += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError(f"still answering after {self._timeout_s:g} s")
                if len(content) > MAX_ANSWER_BYTES:
                    raise http.client.HTTPException(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            return response.status, bytes(content)
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", "content-type": "application/json"}
        if self._token_file is not None:
            headers["authorization"] = f"Bearer {self._token_file.read_text().strip()}"
        return headers
