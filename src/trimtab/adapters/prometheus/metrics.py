"""Instant queries by `/api/v1/query`: one number, bounded in time and size, no redirect followed."""

import http.client
import json
import math
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, Protocol

from trimtab.adapters.http import trusted
from trimtab.api.errors import InputRefused, SurroundingsFailed

WITHIN_S: Final = 5.0
MOST_BYTES: Final = 1 << 20
REFUSED: Final = (400, 422)
"""The API's own statuses for a query that is wrong, or that cannot be carried out."""


class Server(Protocol):
    """Where a server is, and by which credentials it is asked: the configuration's to say, never a query's."""

    @property
    def url(self) -> str: ...
    @property
    def token_file(self) -> Path | None: ...
    @property
    def ca_file(self) -> Path | None: ...


class PrometheusMetrics:
    """ports.metrics.Metrics over servers by name.

    Args:
        passing: around each call of the server so named; may refuse to let it through.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        *,
        timeout_s: float = WITHIN_S,
        passing: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    ) -> None:
        self._servers, self._timeout_s, self._passing = servers, timeout_s, passing

    def query(self, provider: str, query: str) -> float | None:
        server = self._servers.get(provider)
        if server is None:
            known = ", ".join(sorted(self._servers)) or "none"
            raise SurroundingsFailed(
                f"no metrics server is named '{provider}' here",
                remedy=f"name one of the configuration; known are: {known}",
            )
        with self._passing(provider):
            status, answer = self._answer(provider, server, query)
        if status in REFUSED and isinstance(answer, dict):
            raise InputRefused(
                f"metrics server '{provider}' refuses the query: {answer.get('error', status)}"
            )
        if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
            raise SurroundingsFailed(f"metrics server '{provider}' answered with status {status}")
        return _number(answer.get("data"), provider)

    def _answer(self, provider: str, server: Server, query: str) -> tuple[int, Any]:
        try:
            status, body = self._ask(server, query)
            return status, json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SurroundingsFailed(f"metrics server '{provider}' cannot be asked: {error}") from error

    def _ask(self, server: Server, query: str) -> tuple[int, bytes]:
        parts = urllib.parse.urlsplit(server.url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host,
                parts.port,
                timeout=self._timeout_s,
                context=trusted(server.ca_file),
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=self._timeout_s)
        )
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if server.token_file is not None:
            headers["Authorization"] = f"Bearer {server.token_file.read_text().strip()}"
        form = urllib.parse.urlencode({"query": query, "timeout": f"{self._timeout_s:g}s"})
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/api/v1/query", form, headers)
            response = connection.getresponse()
            body = response.read(MOST_BYTES + 1)
        finally:
            connection.close()
        if len(body) > MOST_BYTES:
            raise ValueError(f"its answer is larger than {MOST_BYTES} bytes")
        return response.status, body


def _number(data: Any, provider: str) -> float | None:
    """The number of a scalar, or of a vector of one; None where there is none that is finite."""
    try:
        kind, result = data["resultType"], data["result"]
        if kind not in ("scalar", "vector"):
            raise InputRefused(f"the query gives a {kind}", remedy="write one that gives one number now")
        values = [result] if kind == "scalar" else [one["value"] for one in result]
        if len(values) > 1:
            raise InputRefused(
                f"the query gives {len(values)} numbers", remedy="aggregate them to one, such as by sum(…)"
            )
        number = float(values[0][1]) if values else math.nan
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise SurroundingsFailed(f"metrics server '{provider}' gave an answer of another form") from error
    return number if math.isfinite(number) else None
