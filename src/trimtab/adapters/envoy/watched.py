"""A file that Envoy watches: an xDS DiscoveryResponse in JSON, replaced by rename.

Envoy reads it again when another file is moved over it, so it never sees half of one.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.api.errors import SurroundingsFailed


@dataclass(frozen=True, slots=True)
class Response:
    """One version of a file's resources."""

    version: int
    resources: list[dict[str, Any]]


def read(path: Path) -> Response:
    """The file's last version; version 0, empty, if there is no file.

    Raises SurroundingsFailed for a file that we did not write.
    """
    try:
        held = json.loads(path.read_text())
        return Response(int(held["version_info"]), held["resources"])
    except FileNotFoundError:
        return Response(0, [])
    except (ValueError, KeyError, TypeError) as error:
        raise SurroundingsFailed(
            f"{path} cannot be read: {error}", remedy="trimtab clean, then trimtab up"
        ) from error


def write(path: Path, response: Response) -> None:
    """Replace the file. Raises SurroundingsFailed, and leaves it as it was, if the disk does not take it."""
    text = json.dumps({"version_info": str(response.version), "resources": response.resources}, indent=1)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SurroundingsFailed(f"{path} cannot be written: {error.strerror}") from error
