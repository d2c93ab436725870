"""Functions of who waits for a job, called from the job's driver in another pod, over a folder that both see."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.ray.room import Room

CALLS, ANSWERS = "calls", "answers"
BEGAN, SAY = "began", "say"
"""Functions of every job."""
RESULT: Final = "result"
"""What a job leaves in the folder for who waits."""
POLL_S: Final = 0.05


class Remote:
    """The driver's side; one thread's at a time.

    Args:
        folder: as `Served` has it.
    """

    def __init__(self, folder: Path) -> None:
        self._calls, self._answers = Room(folder / CALLS), Room(folder / ANSWERS)
        self._behind = 0

    def tell(self, name: str, *given: Any) -> None:
        """Call it without waiting.

        Raises:
            SurroundingsFailed: the folder cannot be written.
        """
        self._calls.tell((name, given, False))

    def ask(self, name: str, *given: Any) -> Any:
        """Call it and wait for its answer, which comes only if it returns: else who waits ends the job.

        Raises:
            SurroundingsFailed: as `tell`.
        """
        self._calls.tell((name, given, True))
        while (found := next(self._answers.heard(self._behind), None)) is None:
            time.sleep(POLL_S)
        answer, self._behind = found
        return answer


class Served:
    """The side of who waits.

    Args:
        folder: in which each side writes to a folder of its own: of a room's events one process at a time writes.

    Attributes:
        calls: so far.
    """

    def __init__(self, folder: Path) -> None:
        self._calls, self._answers = Room(folder / CALLS), Room(folder / ANSWERS)
        for room in (self._calls, self._answers):
            room.folder.mkdir()
            room.open()
        self._behind = 0
        self.calls = 0

    def serve(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Answer all that is called by now. What a function raises is passed on, and the driver hears nothing.

        Args:
            functions: by name.

        Raises:
            SurroundingsFailed: the folder cannot be written.
        """
        for (name, given, waits), behind in self._calls.heard(self._behind):
            self._behind = behind
            self.calls += 1
            answer = functions[name](*given)
            if waits:
                self._answers.tell(answer)
