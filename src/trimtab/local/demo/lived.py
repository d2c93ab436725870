"""What was lived through, wherever it was: all that the result and the report are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trimtab.adapters.collector import Collector
from trimtab.adapters.projects.home import Home
from trimtab.api.monitor import MonitorStatus
from trimtab.api.project import Project
from trimtab.api.retrain import RetrainStatus
from trimtab.api.rollout_status import RolloutStatus
from trimtab.local.demo.story import Story
from trimtab.local.replay.barrier import Logged
from trimtab.local.replay.driver import Counts
from trimtab.ports.registry import ModelVersion
from trimtab.ports.state import Event


@dataclass(frozen=True, slots=True)
class Lived:
    """A span of the recording, after it was lived.

    Attributes:
        start, end: of the span, by the loop's time.
        logged: what the model servers said of their payload logs, the last word of each.
        versions: each with the folder of its files on this machine for `uri`.
        revisions: number of the version by revision: on a cluster a revision is of its template too.
        run_tags: what the run noted that has this id in the registry.
        home: holds the tables that the runs wrote.
        wall_s: from the first file to the last hour.
        peak_mb: memory of everything that ran, at the peak.
    """

    project: Project
    start: datetime
    end: datetime
    counts: Counts
    logged: Sequence[Logged]
    rollout: RolloutStatus
    monitor: MonitorStatus
    retrain: RetrainStatus
    events: Sequence[Event]
    versions: Sequence[ModelVersion]
    revisions: Mapping[str, str]
    run_tags: Callable[[str], Mapping[str, str]]
    collector: Collector
    story: Story
    home: Home
    wall_s: float
    peak_mb: float

    def in_order(self) -> list[ModelVersion]:
        """The versions by their numbers."""
        return sorted(self.versions, key=lambda one: int(one.version))
