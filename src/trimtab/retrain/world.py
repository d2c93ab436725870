"""What a retraining policy sees when it decides, and what it may decide."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

from trimtab.api.retrain import RetrainStatus


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """An episode of the monitor that no promotion has closed."""

    id: str
    cause: Literal["performance", "drift"]
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """An event that somebody posted."""

    id: str
    type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunSeen:
    """The claimed run, as its engine shows it.

    Attributes:
        ended: it is over, whatever came of it.
        passed: whether the gates let it through; None where they were not asked.
        labelled: rows with a label that it learned from; 0 if not known.
    """

    id: str
    ended: bool
    failed: bool = False
    skipped: bool = False
    passed: bool | None = None
    version: str | None = None
    labelled: int = 0
    data_end: datetime | None = None
    because: str = ""


class Fate(Enum):
    """What became of a version that a run registered."""

    UNDECIDED = "Undecided"
    PROMOTED = "Promoted"
    REJECTED = "Rejected"


@dataclass(frozen=True, slots=True)
class Observed:
    """The world of one policy at one moment.

    Attributes:
        run: the run of the claim; None if there is no claim, or no such run yet.
        fate: of the version that the last attempt registered.
        undecided: a rollout is on its way.
        labelled_since: mature labels since a time.
        posted: the newest event of each type that a trigger names.
        surplus: ids of runs of the last key that are not the effective one, and go on.
    """

    status: RetrainStatus
    episodes: tuple[OpenEpisode, ...] = ()
    run: RunSeen | None = None
    fate: Fate = Fate.UNDECIDED
    undecided: bool = False
    suspended: bool = False
    labelled_since: Callable[[datetime], int] = lambda _: 0
    posted: tuple[PostedEvent, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Create the run of a key, or find the one that exists."""

    key: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Happened:
    """What a person should read of it."""

    kind: str
    because: str
    bounds: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The next move: a claim, then the start that it guards, or runs to end; `waits` when that is all for now."""

    because: str
    claim: RetrainStatus | None = None
    start: Start | None = None
    end: tuple[str, ...] = ()
    happened: tuple[Happened, ...] = ()
    waits: bool = False

    @classmethod
    def rest(cls, because: str) -> "Decision":
        """Nothing to do for now."""
        return cls(because, waits=True)
