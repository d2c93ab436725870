"""The tracking server: what was trained, on what, and how well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a step has to say of a run.

    Attributes:
        params: settings, as text.
        metrics: final values.
        history: value by step: epoch, batch, or look at the system's use.
        tags: data versions, bundle digest, commit, lock digest, seeds.
        artefacts: files to keep with the run.
        first_step: that of the first value of history, from 0.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artefacts: Sequence[Path] = ()
    first_step: int = 0


class Tracking(Protocol):
    """Raises SurroundingsFailed when the server or its database fails."""

    def start(self, experiment: str, name: str, record: RunRecord) -> str:
        """A new run, with its first record; returns its id."""

    def resume(self, run_id: str) -> bool:
        """The run goes on, however it ended; False where there is none of this id any more."""

    def add(self, run_id: str, record: RunRecord) -> None:
        """More of a run."""

    def finish(self, run_id: str, *, failed: bool = False) -> None:
        """The run has ended."""
