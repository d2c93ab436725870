"""Pipeline runs: started by a key, so that a crash between two calls starts none twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class RunState(Enum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


@dataclass(frozen=True, slots=True)
class Run:
    """One pipeline run.

    Attributes:
        key: who asked (sha256 of policy, episode, arming); one key has one effective run.
        version: the registry version that it made, if any.
        passed: whether the gates let it through; None before they were asked.
        because: one sentence on a refusal or failure.
        data_end: no row after this was read.
        labelled: rows with a label that it learned from; 0 if not known. It paces the next arming.
    """

    id: str
    key: str
    state: RunState
    version: str | None = None
    passed: bool | None = None
    because: str = ""
    data_end: datetime | None = None
    labelled: int = 0


class Surplus(Protocol):
    """An engine that may make more than one run of a key, of which one takes effect (`Runs.find` names it)."""

    def all(self, key: str) -> Sequence[Run]:
        """Every run of the key that the engine still knows, the effective one included."""

    def end(self, run_id: str) -> None:
        """Terminate a run. Idempotent."""


class Remembered(Protocol):
    """What is kept of runs beside an engine's own record."""

    def forget(self, key: str) -> None:
        """Let go of what is kept of a key whose run has long been over. Idempotent."""


class Runs(Protocol):
    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        """Start the run of this key, or return the one that exists."""

    def find(self, key: str) -> Run | None: ...
