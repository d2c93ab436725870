"""MLflow's REST API 2.0 over plain HTTP: what a registry needs, without mlflow's 190 MB of imports.

Every call ends within its timeout, so that a reconcile can bear a server that hangs. A reading call whose
connection breaks is made once more.
"""

import base64
import http.client
import json
import os
import ssl
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError

API: Final = "/api/2.0/mlflow"
MAX_ANSWER_BYTES: Final = 64_000_000


class Missing(InputRefused):
    """The server has no such thing."""


class Exists(InputRefused):
    """The server has one of this name."""


class MlflowServer:
    """A tracking server and registry at an http(s) address. Used by any number of threads.

    Args:
        token_file: holds a bearer token, read anew for each call; without it MLFLOW_TRACKING_TOKEN, or
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, as MLflow's own client reads them.
        ca_file: certificates to trust; None for the system's.

    Every method raises SurroundingsFailed where the server cannot be reached or fails, Missing and Exists as they
    say, and InputRefused for whatever else it refuses.
    """

    def __init__(
        self,
        uri: str,
        *,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise InputRefused(f"'{uri}' is no http address of MLflow", remedy="give http://HOST:PORT")
        self.uri = uri.rstrip("/")
        self._https, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._token_file, self._ca_file, self._timeout_s = token_file, ca_file, timeout_s

    def ask(self, path: str, **query: str | int) -> Any:
        """GET under the API."""
        return self._json("GET", f"{API}/{path}?{urllib.parse.urlencode(query)}", None)

    def tell(self, path: str, body: Mapping[str, Any], method: str = "POST") -> Any:
        return self._json(method, f"{API}/{path}", json.dumps(body).encode())

    def artefact(self, run: str, path: str) -> bytes:
        """A file of a run, wherever its store keeps it: the server fetches it."""
        query = urllib.parse.urlencode({"run_uuid": run, "path": path})
        return self._send("GET", f"/get-artifact?{query}", None)

    def _json(self, method: str, target: str, body: bytes | None) -> Any:
        content = self._send(method, target, body)
        try:
            return json.loads(content)
        except ValueError as error:
            raise SurroundingsFailed(
                f"what answers at {self.uri} is not MLflow: {content[:80]!r}",
                remedy="see the provider's url in the operator's configuration",
            ) from error

    def _send(self, method: str, target: str, body: bytes | None) -> bytes:
        try:
            try:
                status, content = self._once(method, target, body)
            except (ConnectionError, http.client.HTTPException):
                if method != "GET":
                    raise
                status, content = self._once(method, target, body)
        except (OSError, http.client.HTTPException) as error:
            raise SurroundingsFailed(
                f"MLflow at {self.uri} does not answer ({error or type(error).__name__})",
                remedy="see that it runs and can be reached from here",
            ) from error
        if status >= 400:
            raise self._refusal(status, content)
        return content

    def _once(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        if self._https:
            trusted = ssl.create_default_context(cafile=self._ca_file)
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=trusted
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, f"{self._prefix}{target}", body, self._headers())
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", "content-type": "application/json"}
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        if self._token_file is not None:
            token = self._token_file.read_text().strip()
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
        if token:
            headers["authorization"] = f"Bearer {token}"
        elif user:
            pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers

    def _refusal(self, status: int, content: bytes) -> TrimtabError:
        try:
            told = json.loads(content)
            code, because = str(told.get("error_code", "")), str(told.get("message", ""))
        except (ValueError, AttributeError):
            code, because = "", content[:200].decode(errors="replace")
        message = f"MLflow at {self.uri} answered {status}: {because.strip() or code}"
        if code == "RESOURCE_DOES_NOT_EXIST" or status == 404:
            return Missing(message, remedy="see the model's name in the registry")
        if code == "RESOURCE_ALREADY_EXISTS":
            return Exists(message)
        if status in (401, 403):
            return SurroundingsFailed(message, remedy="see the provider's tokenFile, and what it may do")
        if status >= 500 or status == 429:
            return SurroundingsFailed(message, remedy="see MLflow's log")
        return InputRefused(message)
