"""What runs in a process of Ray: one trial after another, each in steps, as a process of Ray can only answer."""

import os
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from trimtab.adapters.ray.memory_kills import note
from trimtab.adapters.ray.output import name_of_own, to_room
from trimtab.adapters.ray.room import TASK, Room
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.studies import Candidate, Ended
from trimtab.ports.trials import GivenUp, Trial


@dataclass(frozen=True, slots=True)
class Told:
    """What a trial tells on the way, and waits to be answered."""

    step: int
    folds: Sequence[float]
    improves: bool


News: TypeAlias = Told | Ended


class TrialProcess:
    """Its calls `begin` and `go_on` end with the next news of the trial at work.

    Args:
        room: the folder that holds the search.
        gpu: whether it has one.
    """

    def __init__(self, room: str, gpu: bool) -> None:
        if not gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # those of the machine are not for trials that share it
        self._room = Room(Path(room))
        self._news: queue.SimpleQueue[News | Exception] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[GivenUp] = queue.SimpleQueue()

    def write_to_room(self) -> None:
        """What this process writes goes to the room, under a name of its own; `ready` says where there is none."""
        with suppress(OSError):
            who = name_of_own(self._room.folder, "process")
            note(self._room.folder, who)
            to_room(self._room.folder, who)

    def ready(self, asked: str) -> None:
        """Take up the search.

        Raises:
            SurroundingsFailed: it is not to be seen here.
        """
        if not self._room.has(TASK):
            raise SurroundingsFailed(
                f"{asked}: a process of Ray does not see {self._room.folder}",
                remedy="give every node of the Ray cluster the volume on which the project's .trimtab lies",
            )
        self._trial: Trial = self._room.get(TASK)

    def begin(self, candidate: Candidate | None) -> News:
        threading.Thread(target=partial(self._try_out, candidate), name="trial", daemon=True).start()
        return self._next()

    def go_on(self, answer: GivenUp) -> News:
        """Answer what was told."""
        self._answers.put(answer)
        return self._next()

    def _next(self) -> News:
        news = self._news.get()
        if isinstance(news, Exception):
            raise news
        return news

    def _try_out(self, candidate: Candidate | None) -> None:
        try:
            self._news.put(self._trial(candidate, self._tell))
        except Exception as error:  # noqa: BLE001  who waits for the news raises it
            self._news.put(error)
        except BaseException as error:  # noqa: BLE001  a model.py that ends its process must not end Ray's
            self._news.put(RuntimeError(f"the trial ended with {error!r}"))

    def _tell(self, step: int, folds: Sequence[float], improves: bool) -> GivenUp:
        self._news.put(Told(step, tuple(folds), improves))
        return self._answers.get()
