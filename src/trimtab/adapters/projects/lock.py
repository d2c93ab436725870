"""The project's lock file: what was asked to be installed. What was installed is told by `machine.libraries`.

It travels in the bundle, so that a task in a pod records the project's and not its image's.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from trimtab.api.address import hidden
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import Lock

REQUIREMENTS: Final = "requirements.txt"
LOCKS: Final = (
    "pylock.toml",
    "requirements.lock",
    REQUIREMENTS,
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "conda-lock.yml",
)
"""The first of these beside trimtab.yaml is the project's; requirements.txt only where it pins by hashes."""


def locks_in(root: Path) -> list[str]:
    """The lock files of a folder, in that order."""
    return [
        name
        for name in LOCKS
        if (root / name).is_file() and (name != REQUIREMENTS or b"--hash=" in (root / name).read_bytes())
    ]


def lock_of(root: Path, files: Collection[str]) -> Lock:
    """The lock file among the files of a project or bundle."""
    name = next((name for name in locks_in(root) if name in files), "")
    return Lock(file=name, digest=hashlib.sha256((root / name).read_bytes()).hexdigest()) if name else Lock()


def demand_no_password(root: Path, name: str) -> None:
    """
    Raises:
        InputRefused: one stands in the file, written out in an address.
    """
    text = (root / name).read_text("utf-8", errors="replace")
    if hidden(text) != text:
        raise InputRefused(
            f"{name} holds a password in an address, and would travel with the project's files",
            remedy=f"give the password to the installer by its environment, or name {name} in .trimtabignore",
        )
