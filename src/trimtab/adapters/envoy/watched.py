"""A file that Envoy watches: an xDS DiscoveryResponse in JSON, replaced by rename.

Envoy reads it again when another file is moved over it, so it never sees half of one.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Response:
    """One version of a file's resources."""

    version: int
    resources: list[dict[str, Any]]


def read(path: Path) -> Response:
    """The file's last version; version 0, empty, if there is no file."""
    try:
        held = json.loads(path.read_text())
    except FileNotFoundError:
        return Response(0, [])
    return Response(int(held["version_info"]), held["resources"])


def write(path: Path, response: Response) -> None:
    text = json.dumps({"version_info": str(response.version), "resources": response.resources}, indent=1)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
