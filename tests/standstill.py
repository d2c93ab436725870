"""How long this machine kept who asked for a moment waiting: what a bound in seconds allows for, and nothing more."""

import threading
import time
from typing import Final

EVERY_S: Final = 0.02


class Standstill:
    """A thread that sleeps for moments, and notes by how much it overslept; a context manager.

    On an idle machine that is a tenth of a millisecond each time.
    """

    def __init__(self) -> None:
        self._overslept: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Standstill":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def since_s(self, begin: float) -> float:
        """Seconds since a time of time.monotonic, without those lost."""
        end = time.monotonic()
        return end - begin - self.within_s(begin, end)

    def within_s(self, begin: float, end: float) -> float:
        """Seconds lost between two times of time.monotonic."""
        time.sleep(2 * EVERY_S)  # what just ended is noted, too
        return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in self._overslept)

    def _watch(self) -> None:
        while not self._over.is_set():
            due = time.monotonic() + EVERY_S
            self._over.wait(EVERY_S)
            self._overslept.append((due, time.monotonic()))
