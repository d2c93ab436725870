"""Studies: what a search has tried. Kept as it goes, so that a killed search goes on and pays nothing twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from trimtab.api.search import Parameter

Space: TypeAlias = Mapping[str, Mapping[str, Parameter]]
"""Parameters by family. A model.py is one family."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of a space: a family and the parameters that are tried with it."""

    family: str
    params: Mapping[str, Any]


State: TypeAlias = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that has ended.

    Attributes:
        candidate: None for the project's own model, which is tried first.
        value: of the metric, over all folds; None unless complete.
        folds: the metric of each fold that it came to.
        because: why it failed or was given up; "" else.
        run_id: in the tracking server; "" without one.
    """

    number: int
    candidate: Candidate | None
    state: State
    value: float | None
    folds: Sequence[float]
    seconds: float
    because: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that has begun; the fields are those of `Tried`."""

    number: int
    candidate: Candidate | None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a study draws and gives up.

    Attributes:
        first_fold, last_fold: the steps at which a trial tells of its first whole fold, and of its last.
    """

    greater_is_better: bool
    sampler: Literal["tpe", "random", "grid"]
    pruner: Literal["median", "hyperband", "asha", "none"]
    seed: int
    first_fold: int
    last_fold: int


class Study(Protocol):
    """Trials of one search.

    What is drawn depends on the seed and on the trials that have ended, so a search of one trial at a time that was
    killed and goes on draws what it would have drawn. A trial that was broken off is drawn anew.
    """

    @property
    def tried(self) -> Sequence[Tried]:
        """Trials that have ended, oldest first, without those that were broken off."""

    @property
    def spent_s(self) -> float:
        """Seconds of all sittings, those of broken off trials too."""

    @property
    def note(self) -> str:
        """What `remember` was told last; "" before."""

    def remember(self, note: str) -> None:
        """Keep a word with the study."""

    def ask_own(self) -> Asked:
        """Begin the trial of the project's own model, which is no point of the space."""

    def ask(self, space: Space, points: Sequence[Candidate] | None = None) -> Asked:
        """Begin a trial of what the sampler draws.

        Args:
            points: all that a grid has; the first that was not tried is taken.
        """

    def report(self, number: int, step: int, value: float, spent_s: float) -> bool:
        """Tell of a trial at work; answers whether it is worse than the pruner lets pass at this step.

        Args:
            spent_s: seconds of this sitting.
        """

    def tell(self, number: int, ended: "Ended", spent_s: float) -> Tried:
        """A trial at work has ended."""

    def importances(self) -> Mapping[str, float]:
        """Share of each parameter (`family`, `family.parameter`) in how values differ, the largest first; empty
        with too few complete trials.
        """


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trial ended; the fields are those of `Tried`."""

    state: State
    seconds: float
    value: float | None = None
    folds: Sequence[float] = field(default_factory=tuple)
    because: str = ""
    run_id: str = ""


class Studies(Protocol):
    """Studies by name. Every call raises SurroundingsFailed when what keeps them fails."""

    def open(self, name: str, settings: Settings) -> Study:
        """The study of this name, new or gone on with.

        Raises:
            ExtraMissing: what draws is not installed.
        """

    def clear(self) -> None:
        """Forget them all: what they found is kept elsewhere, or is no good to anybody."""
