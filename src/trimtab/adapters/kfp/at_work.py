"""Who is at work in a run's folder: of two processes that go on with one run the second is refused, or waits.

The lock is flock(2)'s, which goes with its process, however that ends. Each process of a run shares it: the command,
its pipeline host and the task that is under way. So it is free when the last of a killed run is gone, not before.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from trimtab.api.errors import SurroundingsFailed

LOCK: Final = "lock"
GONE_S: Final = 20.0
"""What is left of a killed run has two seconds for its last word; a loaded machine takes longer over it."""
LOOK_S: Final = 0.05


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The run's folder for this process, and for those that join it: `with joined(folder): …`.

    Args:
        folder: of a run; it is there.

    Raises:
        SurroundingsFailed: another process is at work there, and still is after what is left of a killed run has gone.
    """
    with (folder / LOCK).open("a+b") as lock:
        deadline = time.monotonic() + GONE_S
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise _busy(folder)
            time.sleep(LOOK_S)
        if not _taken(lock, fcntl.LOCK_SH):  # flock(2) gives one lock up before it takes the other
            raise _busy(folder)
        yield


@contextlib.contextmanager
def joined(folder: Path) -> Iterator[None]:
    """Be one of those at work in a folder that another process is `alone` in."""
    with (folder / LOCK).open("a+b") as lock:
        _taken(lock, fcntl.LOCK_SH)
        yield


def _taken(lock: BinaryIO, how: int) -> bool:
    """Whether this process has the lock now; a file system that knows no locks keeps nobody out."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _busy(folder: Path) -> SurroundingsFailed:
    return SurroundingsFailed(
        f"another process is at work on run {folder.name}",
        remedy="wait for its end, or end it; trimtab status shows the runs",
    )
