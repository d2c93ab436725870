"""MLflow's REST API 2.0 over plain HTTP: what a registry needs, without mlflow's 190 MB of imports."""

import base64
import json
import os
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.http import REACHABLE, HttpServer
from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError

API: Final = "/api/2.0/mlflow"
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"
USER: Final = "MLFLOW_TRACKING_USERNAME"
PASSWORD: Final = "MLFLOW_TRACKING_PASSWORD"


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
        passing: around each call; may refuse to let it through.
        remedy: for who cannot reach it.

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
        passing: Callable[[], AbstractContextManager[None]] = nullcontext,
        remedy: str = REACHABLE,
    ) -> None:
        self._http = HttpServer(
            "MLflow",
            uri,
            token_file=token_file,
            ca_file=ca_file,
            timeout_s=timeout_s,
            passing=passing,
            remedy=remedy,
        )
        self._own_token = token_file is not None
        self.uri = self._http.uri

    def ask(self, path: str, **query: str | int) -> Any:
        """GET under the API."""
        return self._http.read(self._send("GET", f"{API}/{path}?{urllib.parse.urlencode(query)}"))

    def tell(self, path: str, body: Mapping[str, Any], method: str = "POST") -> Any:
        return self._http.read(self._send(method, f"{API}/{path}", body))

    def artefact(self, run: str, path: str) -> bytes:
        """A file of a run, wherever its store keeps it: the server fetches it."""
        query = urllib.parse.urlencode({"run_uuid": run, "path": path})
        return self._send("GET", f"/get-artifact?{query}")

    def _send(self, method: str, target: str, body: object = None) -> bytes:
        status, content = self._http.send(method, target, body, {} if self._own_token else from_environment())
        if status >= 400:
            raise self._refusal(status, content)
        return content

    def _refusal(self, status: int, content: bytes) -> TrimtabError:
        try:
            told = json.loads(content)
            code, because = str(told.get("error_code", "")), str(told.get("message", ""))
        except (ValueError, AttributeError):
            code, because = "", content[:200].decode(errors="replace")
        message = f"MLflow at {self.uri} answered {status}: {because.strip() or code}"
        # An alias that a registered model does not have is a wrong parameter to MLflow (3.17's sqlalchemy_store).
        no_alias = because.startswith("Registered model alias ") and because.endswith(" not found.")
        if code == "RESOURCE_DOES_NOT_EXIST" or status == 404 or no_alias:
            return Missing(message, remedy="see the model's name in the registry")
        if code == "RESOURCE_ALREADY_EXISTS":
            return Exists(message)
        if status in (401, 403):
            shown = "the provider's tokenFile" if self._own_token else f"{TOKEN}, or {USER} and {PASSWORD}"
            return SurroundingsFailed(message, remedy=f"see {shown}, and what may be done with it")
        if status >= 500 or status == 429:
            return SurroundingsFailed(message, remedy="see MLflow's log")
        return InputRefused(message)


def from_environment() -> dict[str, str]:
    """The credentials that MLflow's own client would use."""
    if token := os.environ.get(TOKEN):
        return {"authorization": f"Bearer {token}"}
    if user := os.environ.get(USER):
        pair = f"{user}:{os.environ.get(PASSWORD, '')}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
