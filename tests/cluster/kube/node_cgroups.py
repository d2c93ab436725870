"""The control groups of a node's pods, as this process sees them from outside."""

import os
import re
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PREFIX = "trimtab-node"


def parents() -> list[Path]:
    """The folders in which the first process of a node, being our child, finds itself: one a hierarchy."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            folder = ROOT / {"": "unified", "name=systemd": "systemd"}.get(name, name) / path.lstrip("/")
            if folder.is_dir():
                found.append(folder)
    return found


def remove(name: str) -> list[Path]:
    """Remove the empty groups of that name, inner ones first; what is left."""
    for parent in parents():
        for folder, _, _ in os.walk(parent / name, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue
    return [parent / name for parent in parents() if (parent / name).exists()]


def sweep() -> None:
    """Remove the groups of nodes whose process was killed."""
    for parent in parents():
        for folder in parent.glob(f"{PREFIX}-*"):
            owner = re.fullmatch(rf"{PREFIX}-(\d+)-\d+", folder.name)
            if owner and not Path(f"/proc/{owner[1]}").exists():
                remove(folder.name)
