"""What is looked for, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.api.project import Project
from trimtab.api.provenance import Chosen
from trimtab.api.search import Search
from trimtab.ports.studies import Candidate, Space, Tried
from trimtab.quality.metrics import METRICS
from trimtab.steps.fitting.contract import ModelSource
from trimtab.steps.folds import Fold
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.search.spaces import is_default, source_of


@dataclass(frozen=True, slots=True)
class Question:
    """One search: the only one, or one of those of a nested one.

    Attributes:
        own: the project's own model.
        rows: what may teach and judge.
        budget_s: None without one.
    """

    project: Project
    search: Search
    own: ModelSource
    space: Space
    metric: str
    rows: LearningRows
    folds: Sequence[Fold]
    budget_s: float | None

    @property
    def seed(self) -> int:
        """By which candidates are drawn."""
        return self.project.training.seed if self.search.seed is None else self.search.seed

    def source(self, candidate: Candidate | None) -> ModelSource:
        """The model of a trial."""
        if candidate is None:
            return self.own
        return source_of(candidate, self.own, default=is_default(self.search, candidate.family))

    def best(self, tried: Sequence[Tried]) -> Tried | None:
        """The best complete trial, the first of equals."""
        return best_of(self.metric, tried)


def best_of(metric: str, tried: Sequence[Tried]) -> Tried | None:
    """The best complete trial, the first of equals; None where none is complete."""
    sign = -1.0 if METRICS[metric].greater_is_better else 1.0
    complete = [(sign * one.value, one.number, one) for one in tried if one.value is not None]
    return min(complete)[2] if complete else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        source: the model to fit.
        seed: by which candidates were drawn.
        best: the trial that it is of.
        outer: of each outer fold, the metric of the model that a search on its training rows found; empty where
            not asked for.
        importances: share of each parameter in how values differ; empty with too few complete trials.
        spent_s: seconds of all sittings.
        run_id: of the search in the tracking server; "" without one.
    """

    metric: str
    source: ModelSource
    seed: int
    best: Tried
    tried: Sequence[Tried]
    rows: LearningRows
    folds: Sequence[Fold]
    outer: Sequence[float]
    importances: Mapping[str, float]
    spent_s: float
    run_id: str

    @property
    def own(self) -> Tried:
        """The trial of the project's own model."""
        return next(one for one in self.tried if one.candidate is None)

    @property
    def chosen(self) -> Chosen:
        """What is written down of it."""
        return Chosen(
            family="" if self.source.digest else self.source.name,
            params=dict(self.source.params),
            trial=self.best.number,
            trials=len(self.tried),
            seed=self.seed,
            metric=self.metric,
            value=self.best.value or 0.0,
        )

    def count(self, state: str) -> int:
        """Trials that ended so."""
        return sum(one.state == state for one in self.tried)
