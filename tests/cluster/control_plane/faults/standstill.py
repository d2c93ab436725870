"""How long the machine stood still: what a bound in seconds has to allow for, and nothing more."""

import threading
import time
from typing import Final

EVERY_S: Final = 0.02


class Standstill:
    """A thread that sleeps for moments, and notes by how much it overslept; a context manager."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Standstill":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        at = time.monotonic()
        while not self._over.wait(EVERY_S):
            before, at = at, time.monotonic()
            self.longest_s = max(self.longest_s, at - before - EVERY_S)
