"""Who is at work in a run's folder: of two processes that go on with one run the second is refused, or waits.

The lock is flock(2)'s, which goes with its process, however that ends. The command, its pipeline host and the task that
is under way share it, so that it is free when the last of a killed run is gone, not before. Step pods are looked after
by who makes them. A machine that is gone keeps one on NFS until its lease has run out, a minute or two.
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


class AtWork(SurroundingsFailed):
    """Another process is at work on the run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another process is at work on run {folder.name}",
            remedy="wait for its end, or end it; trimtab status shows the runs",
        )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The run's folder for this process, and for those that join it: `with joined(folder): …`.

    Args:
        folder: of a run; it is there.

    Raises:
        AtWork: another process is, and still is after what is left of a killed run has gone.
    """
    with (folder / LOCK).open("a+b") as lock:
        deadline = time.monotonic() + GONE_S
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise AtWork(folder)
            time.sleep(LOOK_S)
        if not _taken(lock, fcntl.LOCK_SH):  # flock(2) gives one lock up before it takes the other
            raise AtWork(folder)
        yield


@contextlib.contextmanager
def joined(folder: Path) -> Iterator[None]:
    """Be one of those at work in a folder that another process is `alone` in.

    Raises:
        AtWork: that one is gone, and another process has the folder now.
    """
    with (folder / LOCK).open("a+b") as lock:
        if not _taken(lock, fcntl.LOCK_SH):
            raise AtWork(folder)
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
