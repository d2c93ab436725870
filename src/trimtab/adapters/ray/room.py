"""The folder in which one task of workers lies: what they are to do, what they tell, and how it ended.

Every worker must see it, as it must see the stored rows. Ray's object store carries nothing of a task.
"""

import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import SurroundingsFailed

TASK: Final = "task"
ANSWER: Final = "answer"
FAILURE: Final = "failure"
EVENTS: Final = "events"
LOST: Final = "lost-"
RESERVE: Final = "reserve"
RESERVE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Room:
    folder: Path

    def reserve(self) -> None:
        """Take some bytes of the disk, so that once it is full there is room to say so."""
        with self._written():
            (self.folder / RESERVE).write_bytes(b"\1" * RESERVE_BYTES)

    def open(self) -> None:
        """Let events be listened for before there are any: who looks in vain on NFS may do so for a minute (nfs(5))."""
        with self._written():
            (self.folder / EVENTS).touch()

    def look_anew(self) -> None:
        """Have this node see what another has put: who changes a folder on NFS is told what others changed there."""
        mark = self.folder / f"looked.{os.getpid()}"
        with suppress(OSError):
            mark.touch()
            mark.unlink()

    def put(self, name: str, content: Any) -> bool:
        """Write it whole or not at all; False where it is there already, which stays.

        Raises:
            SurroundingsFailed: it cannot be written.
        """
        import cloudpickle

        written = cloudpickle.dumps(content)
        try:
            return self._put(name, written)
        except OSError:
            (self.folder / RESERVE).unlink(missing_ok=True)
        with self._written():
            return self._put(name, written)

    def _put(self, name: str, written: bytes) -> bool:
        beside = self.folder / f"{name}.{os.getpid()}"
        try:
            beside.write_bytes(written)
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
        """Add an event; of one process at a time.

        Raises:
            SurroundingsFailed: it cannot be written.
        """
        written = pickle.dumps(event)
        with self._written(), (self.folder / EVENTS).open("ab", buffering=0) as file:
            place, at = file.tell(), 0
            try:
                while at < len(written):
                    at += file.write(written[at:])
            except OSError:
                file.truncate(place)  # behind half an event, nobody hears another
                raise

    def lose(self, rank: int, because: str) -> None:
        """Keep what a worker says of the others that it lost; the last word stands."""
        with suppress(OSError):
            (self.folder / f"{LOST}{rank}").write_text(because, encoding="utf-8")

    def lost(self) -> Mapping[int, str]:
        """What each worker said last of the others that it lost."""
        found = sorted(self.folder.glob(f"{LOST}*"))
        return {int(one.name.removeprefix(LOST)): one.read_text(encoding="utf-8") for one in found}

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SurroundingsFailed(
                f"{self.folder}: cannot be written ({error.strerror})",
                remedy="free some disk, then run again: what learned goes on from its last checkpoint",
            ) from error

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
