"""A file that changes as long as who waits for a job lives. It is looked at in other pods; no clocks are compared."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ALIVE: Final = "alive"
EVERY_S: Final = 5.0


@contextmanager
def beating(folder: Path) -> Iterator[None]:
    """The file changes until left, on a full disk too: what changes is its time."""
    file, over = folder / ALIVE, threading.Event()

    def beat() -> None:
        while not over.wait(EVERY_S):
            with suppress(OSError):  # a slow volume may be well again before anybody minds
                os.utime(file)

    file.touch()
    thread = threading.Thread(target=beat, name=ALIVE, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for_silence(folder: Path, silent_s: float, look_s: float) -> None:
    """Until the file has not changed, or has not been there, for so long.

    The time in which this process itself stood still is no silence of the other's: of each look no more than two
    looks' time counts.
    """
    seen, silent, at = 0, 0.0, time.monotonic()
    while silent < silent_s:
        time.sleep(look_s)
        before, at = at, time.monotonic()
        silent += min(at - before, 2 * look_s)
        if (now := _changed(folder / ALIVE)) not in (0, seen):
            seen, silent = now, 0.0


def _changed(file: Path) -> int:
    """When, as its volume says; 0 where it is not there. On NFS a file that is opened is asked for anew."""
    try:
        with file.open("rb") as opened:
            return os.fstat(opened.fileno()).st_mtime_ns
    except OSError:
        return 0
