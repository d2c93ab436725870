"""Where events go: a file of JSON lines, or an HTTP endpoint such as Marquez's.

The environment's names are those of OpenLineage's own clients: OPENLINEAGE_API_KEY is sent as a bearer token, and
OPENLINEAGE_NAMESPACE (read where jobs are named) is the namespace of jobs.
"""

import json
import os
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from trimtab.api.errors import InputRefused

ENDPOINT: Final = "/api/v1/lineage"
KEY_VARIABLE: Final = "OPENLINEAGE_API_KEY"
TIMEOUT_S: Final = 5.0

Transport = Callable[[Mapping[str, Any]], None]
"""Takes one event. Raises OSError where it cannot be brought there."""


def transport(address: str) -> Transport:
    """The transport to an address.

    Args:
        address: http://… or https://…, to whose `/api/v1/lineage` events are posted unless it has a path of its own;
            or a file, to which they are appended. `${NAME}` stands for a variable of the environment.

    Raises:
        InputRefused: another scheme, no host, a variable that is not set, or a file that cannot be written.
    """
    address = os.path.expandvars(said := address)
    if "${" in address:
        raise InputRefused(f"openlineage {said}: a variable of it is not set", remedy="set it, and run again")
    scheme, host, path = urlsplit(address)[:3]
    if scheme in ("http", "https"):
        if not host:
            raise InputRefused(f"openlineage {said}: no host", remedy="such as http://marquez:5000")
        return _posted(address if path.strip("/") else address.rstrip("/") + ENDPOINT)
    if scheme and "://" in address and scheme != "file":
        raise InputRefused(
            f"openlineage {said}: {scheme} is not known here", remedy="give http://…, https://… or a file"
        )
    return _appended(Path(path if scheme == "file" else address))


def _posted(url: str) -> Transport:
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {key}"

    def send(event: Mapping[str, Any]) -> None:
        request = urllib.request.Request(url, json.dumps(event).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read()
        except (OSError, HTTPException) as error:
            raise OSError(f"{url}: {error}") from error

    return send


def _appended(path: Path) -> Transport:
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise InputRefused(
            f"openlineage {path}: cannot be written ({error.strerror})",
            remedy="give a file in a folder that is there",
        ) from error

    def send(event: Mapping[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    return send
