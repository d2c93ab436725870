"""One trial: a model fitted and scored fold by fold, told of on the way, and given up when it is hopeless."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.project import Training
from trimtab.features.columns import Array
from trimtab.features.schema import FeatureSchema
from trimtab.ports.studies import Candidate, Ended
from trimtab.ports.trials import GivenUp, Tell
from trimtab.quality.metrics import METRICS
from trimtab.quality.metrics import evaluate as measured
from trimtab.steps.fitting.contract import ModelSource, answers
from trimtab.steps.fitting.fitted import fit_model, scores
from trimtab.steps.fitting.refusals import ModelRefused
from trimtab.steps.folds import Fold
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.search.question import Question
from trimtab.steps.search.rounds import looked_at

STEPS_A_FOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """What a trial came to.

    Attributes:
        folds: the metric of each whole fold.
        given_up: why it ended before its last fold; "" else.
    """

    folds: tuple[float, ...]
    given_up: GivenUp

    @property
    def value(self) -> float:
        """The metric's mean over folds."""
        return float(np.mean(self.folds))


def try_out(question: Question, candidate: Candidate | None, tell: Tell) -> Ended:
    """A trial to its end, whatever that is."""
    source = question.source(candidate)
    try:
        judged = judge(
            source, question.rows, question.folds, question.metric, question.project.training, tell
        )
    except InputRefused as error:
        return Ended("failed", 0.0, because=error.message)
    except (MemoryError, ArithmeticError) as error:
        return Ended("failed", 0.0, because=f"{source.name}: {type(error).__name__}: {error}")
    if judged.given_up:
        return Ended("pruned", 0.0, None, judged.folds, judged.given_up)
    return Ended("complete", 0.0, judged.value, judged.folds)


def judge(
    source: ModelSource,
    rows: LearningRows,
    folds: Sequence[Fold],
    metric: str,
    training: Training,
    tell: Tell,
) -> Judged:
    """Fit on each fold's training rows and score its validation rows, which a fit that stops early sees too.

    Raises:
        ModelRefused: a fit raised, or a fold's metric is not a number.
    """
    done: list[float] = []
    for place, fold in enumerate(folds):
        given_up = _fold(source, rows, fold, place, metric, training, done, tell)
        if given_up and len(done) < len(folds):
            return Judged(tuple(done), given_up)
    return Judged(tuple(done), "")


def _fold(
    source: ModelSource,
    rows: LearningRows,
    fold: Fold,
    place: int,
    metric: str,
    training: Training,
    done: list[float],
    tell: Tell,
) -> GivenUp:
    """One fold; its metric joins `done` unless the fit was broken off."""
    teach, held = rows.taken(fold.training), rows.taken(fold.validation)
    labels = held.filled()
    broken_off: GivenUp = ""
    looks: list[float] = []

    def look(share: float, estimator: Any, matrix: Array, schema: FeatureSchema) -> bool:
        nonlocal broken_off
        predicted = scores(answers(source.name, estimator, matrix, schema), rows.plan)
        looks.append(_measured(metric, labels, predicted, source.name, place))
        improves = len(looks) < 2 or METRICS[metric].worse_by(looks[-1], looks[-2]) < 0
        broken_off = tell(round((place + share) * STEPS_A_FOLD), [*done, looks[-1]], improves)
        return bool(broken_off)

    model = fit_model(
        looked_at(source, look),
        teach,
        training.seed,
        held,
        how=training,
    )
    if broken_off:
        return broken_off
    done.append(_measured(metric, labels, model.scores(held.features), source.name, place))
    return tell((place + 1) * STEPS_A_FOLD, done, False)


def _measured(metric: str, labels: Array, predicted: Array, name: str, place: int) -> float:
    value = measured((metric,), labels, predicted)[metric]
    if not np.isfinite(value):
        raise ModelRefused(
            f"{name}: {metric} of fold {place + 1} is not a number",
            remedy="see that each fold holds every class, or take fewer folds",
        )
    return value
