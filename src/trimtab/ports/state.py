"""What the loop must remember beyond a process: one status a resource, what people ordered, and what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class Conflict(Exception):
    """Somebody wrote the status since it was read; read again and decide again."""


@dataclass(frozen=True, slots=True)
class Document:
    """A status as stored.

    Attributes:
        body: JSON object.
        version: changes with every write; a write names the one that it was decided on.
    """

    body: Mapping[str, object]
    version: str


@dataclass(frozen=True, slots=True)
class Act:
    """What a person ordered; it stands until the next one and is obeyed once, by its id.

    Attributes:
        verb: approve, abort, undo, retry or promote.
        revision: the revision that it is about.
        step: the step that is approved; "" for other verbs.
        by: who.
    """

    id: str
    verb: str
    revision: str
    step: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, for a person: a row of the report's timeline.

    Attributes:
        kind: Alarm, RunStarted, RunEnded, CandidateTaken, StepStarted, Promoted, Rejected, Undone, … in CamelCase.
        revision: 8 hex, or "" where none is meant.
        because: one sentence.
        bounds: the numbers that it rests on, by name.
    """

    at: datetime
    resource: str
    kind: str
    revision: str
    because: str
    bounds: Mapping[str, float | str | None] = field(default_factory=dict)


class State(Protocol):
    """Durable, and shared between the loop and the command; raises SurroundingsFailed when it cannot be used."""

    def read(self, kind: str, name: str) -> Document | None: ...

    def write(
        self,
        kind: str,
        name: str,
        body: Mapping[str, object],
        version: str | None,
        events: Sequence[Event] = (),
        *,
        durable: bool = True,
    ) -> str:
        """Replace the status decided on at `version` (None: there was none), and append events, in one step.

        Returns the new version. Not durable: a power cut may undo it, the end of a process never does.
        Raises Conflict if the stored version is another.
        """

    def act(self, name: str) -> Act | None:
        """The newest order about a rollout."""

    def order(self, name: str, act: Act) -> None:
        """Make an order the newest. Idempotent by id."""

    def suspended(self, name: str) -> bool: ...

    def suspend(self, name: str, suspended: bool) -> None:
        """Hold a rollout's progress, or let it go on; safety is never held."""

    def events(self, after: int = 0) -> Sequence[tuple[int, Event]]:
        """Events in the order written, numbered from 1, those after a number."""

    def seen(self) -> str:
        """Changes whenever anything here was written; costs microseconds."""
