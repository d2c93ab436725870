"""Events that somebody posts from outside, to ask for a run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Posted:
    """One event as it was posted.

    Attributes:
        id: the poster's; the same event posted again is one.
        type: what happened, such as com.example.upstream.changed.
        at: when it was taken, by the taker's clock.
    """

    id: str
    type: str
    at: datetime


class Posts(Protocol):
    def newest(self, type: str) -> Posted | None:
        """The newest event of a type; what was taken outlives the process that took it."""
