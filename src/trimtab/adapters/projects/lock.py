"""The project's lock file: what was asked to be installed. What was installed is told by `machine.libraries`.

A bundle, and so its archive, holds a note of its name and digest, so that a task in a pod records the project's and not
its image's. The file itself stays at home, and is no part of a bundle's digest.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from trimtab.adapters.projects.commit import leave
from trimtab.api.provenance import Lock

NOTE: Final = ".lock"
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
_WRITTEN: Final = re.compile(r"(?P<file>\S+) (?P<digest>[0-9a-f]{64})\n")


def lock_of(root: Path) -> Lock:
    """The lock file of a project's folder, or that of which a bundle holds a note; none where neither is."""
    return noted(root) or _beside(root)


def noted(bundle: Path) -> Lock:
    """What the note in a bundle says; none where there is none."""
    try:
        return read((bundle / NOTE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return Lock()


def read(text: str) -> Lock:
    """A note's text; none of a text that is none."""
    told = _WRITTEN.fullmatch(text)
    return Lock(**told.groupdict()) if told else Lock()


def note(bundle: Path, lock: Lock) -> None:
    """Leave it with a bundle. One that is there goes: the newest says what the next run is asked to install."""
    if noted(bundle) == lock:
        return
    if lock:
        leave(bundle / NOTE, f"{lock.file} {lock.digest}\n")
    else:
        (bundle / NOTE).unlink(missing_ok=True)


def _beside(root: Path) -> Lock:
    for name in LOCKS:
        try:
            held = (root / name).read_bytes()
        except OSError:  # none there, a folder, or nobody may read it
            continue
        if name != REQUIREMENTS or b"--hash=" in held:
            return Lock(file=name, digest=hashlib.sha256(held).hexdigest())
    return Lock()
