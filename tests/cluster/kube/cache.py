"""The folder that outlives a run: programs, Go's module and build caches."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def home() -> Path:
    """`trimtab/cluster` in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trimtab" / "cluster"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Only one process at a time is in here; others wait, and the kernel lets go of the lock if it dies."""
    folder = home() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def is_locked(name: str) -> bool:
    """Whether a process is in there now."""
    try:
        with (home() / "locks" / name).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
