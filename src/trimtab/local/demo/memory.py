"""Peak memory of everything that the demo runs, by proportional set size (shared pages are split, not repeated)."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PAUSE_S = 4.0


def pss_mb(pid: int) -> float:
    """Proportional set size of one process, MB; 0 when it is gone (proc(5), smaps_rollup)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ProcessLookupError):
        pass
    return 0.0


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        with suppress(OSError):  # it ends, or one of its threads does
            for task in Path(f"/proc/{one}/task").iterdir():
                with suppress(OSError):
                    waiting += map(int, (task / "children").read_text().split())
    return found


class Peak:
    """Samples the sum over process trees in a thread; a context manager.

    Args:
        roots: the processes to look at, asked anew each time.
    """

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self._roots = roots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(PAUSE_S):
            pids = {pid for root in self._roots() for pid in tree(root)}
            self.peak_mb = max(self.peak_mb, sum(pss_mb(pid) for pid in pids))
