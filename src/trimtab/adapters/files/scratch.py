"""A folder for the life of one use, removed even when its process was killed: by the next one."""

import functools
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

FOREIGN_FOR_S: Final = 86_400.0
"""Whether a process of another machine or container lives cannot be asked: what nobody wrote into for so long goes."""


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A new empty folder under `root`, named by this process and by where its number means something."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        owner = re.fullmatch(r"(?:([0-9a-f]{8})-)?(\d+)-.*", left.name)
        if owner and not (_lives(int(owner[2])) if owner[1] in (None, _space()) else _is_young(left)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_space()}-{os.getpid()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _space() -> str:
    """Among which processes a number names one: containers that share a volume each count from 1."""
    with suppress(OSError):
        inode = Path("/proc/self/ns/pid").stat().st_ino
        return hashlib.sha256(f"{socket.gethostname()}/{inode}".encode()).hexdigest()[:8]
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _is_young(folder: Path) -> bool:
    with suppress(OSError):
        newest = max(one.stat().st_mtime for one in (folder, *folder.iterdir()))
        return time.time() - newest < FOREIGN_FOR_S
    return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
