"""The folder in which one task of workers lies: what they are to do, what they tell, and how it ended.

Every worker must see it, as it must see the stored rows. Ray's object store carries nothing of a task.
"""

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TASK: Final = "task"
ANSWER: Final = "answer"
FAILURE: Final = "failure"
EVENTS: Final = "events"


@dataclass(frozen=True, slots=True)
class Room:
    folder: Path

    def put(self, name: str, content: Any) -> bool:
        """Write it whole or not at all; False where it is there already, which stays."""
        import cloudpickle

        beside = self.folder / f"{name}.{os.getpid()}"
        beside.write_bytes(cloudpickle.dumps(content))
        try:
            os.link(beside, self.folder / name)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def get(self, name: str) -> Any:
        """What `put` wrote: never from elsewhere, it runs what it holds."""
        import cloudpickle

        return cloudpickle.loads((self.folder / name).read_bytes())

    def tell(self, event: Any) -> None:
        """Add an event; of one process at a time."""
        with (self.folder / EVENTS).open("ab") as file:
            file.write(pickle.dumps(event))

    def heard(self, start: int) -> Iterator[tuple[Any, int]]:
        """Each whole event from a place in the file on, and the place behind it."""
        try:
            file = (self.folder / EVENTS).open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(start)
            while True:
                try:
                    event = pickle.load(file)
                except (EOFError, pickle.UnpicklingError):  # none is left, or it is not whole yet
                    return
                yield event, file.tell()
