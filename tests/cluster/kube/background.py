"""Work in a thread beside a `with` block."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Background(ABC):
    """Begins with the block, and is stopped at its end.

    Attributes:
        stopping: set once it shall end.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def work(self) -> None:
        """What the thread does, until `stopping`."""

    def stop(self) -> object:
        """End it, and wait until it has."""
        self.stopping.set()
        self._thread.join()
        return None
