"""The search of a model, nested where asked."""

from dataclasses import dataclass, field

from trimtab.api.errors import InputRefused
from trimtab.api.project import Project
from trimtab.api.search import Search
from trimtab.ports.clock import Clock
from trimtab.ports.studies import Settings, Studies
from trimtab.ports.trials import Trials
from trimtab.quality.metrics import METRICS
from trimtab.quality.metrics import evaluate as measured
from trimtab.steps.fitting.contract import ModelSource
from trimtab.steps.fitting.fitted import fit_model
from trimtab.steps.folds import Fold, folds_at_random, folds_by_time
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.search.one_by_one import OneByOne
from trimtab.steps.search.question import Found, Question
from trimtab.steps.search.sitting import Say, Sitting
from trimtab.steps.search.spaces import check_parameters, space_of
from trimtab.steps.search.tracked import TrackedSearch
from trimtab.steps.search.trial import STEPS_A_FOLD


@dataclass(frozen=True, slots=True)
class Means:
    """What a search works with.

    Attributes:
        say: is told of each trial, in a line.
        trials: where they run.
    """

    studies: Studies
    clock: Clock
    say: Say
    trials: Trials = field(default_factory=OneByOne)


def search_model(
    project: Project,
    search: Search,
    own: ModelSource,
    rows: LearningRows,
    metric: str,
    means: Means,
    tracked: TrackedSearch,
) -> Found:
    """Look for the model that does best on the folds of `rows`.

    With outer folds, the whole search is made on the training rows of each first, within an equal share of the
    budget; how its model does on rows that no trial saw says how good the procedure is (Varma & Simon 2006).

    Args:
        own: the project's own model, which is tried first: no search ends with a worse one.
        rows: what may teach; no row of the test part.

    Raises:
        InputRefused: the metric, or a parameter, does not fit.
        TrainingRefused: too few rows for the folds, or every trial failed.
    """
    task = rows.plan.task
    if metric not in METRICS or task not in METRICS[metric].tasks:
        fit = ", ".join(name for name, one in METRICS.items() if task in one.tasks)
        raise InputRefused(
            f"trimtab.yaml: search.metric: '{metric}' is no metric of a {task} task", remedy=f"one of {fit}"
        )
    space = space_of(project, search, task)
    check_parameters(space, own, task)
    outer = _folds(project, search, rows, search.folds.outer) if search.folds.outer else ()
    budget_s = None if search.budget is None else search.budget.total_seconds() / (len(outer) + 1)

    def question(part: LearningRows) -> Question:
        folds = _folds(project, search, part, search.folds.count)
        return Question(project, search, own, space, metric, part, folds, budget_s)

    inner = [question(rows.taken(fold.training)) for fold in outer]
    whole = question(rows)
    values, spent_s = [], 0.0
    for place, (asked, fold) in enumerate(zip(inner, outer, strict=True), 1):
        part = f"outer fold {place} of {len(outer)}"
        sitting = _sitting(asked, means, tracked, f"outer {place}", part)
        best = sitting.run()
        values.append(_value(asked, asked.source(best.candidate), rows.taken(fold.validation)))
        spent_s += sitting.before_s + sitting.spent_s
    sitting = _sitting(whole, means, tracked, "search", "")
    best = sitting.run()
    return Found(
        metric=metric,
        source=whole.source(best.candidate),
        seed=whole.seed,
        best=best,
        tried=sitting.study.tried,
        rows=rows,
        folds=whole.folds,
        outer=tuple(values),
        importances=sitting.study.importances(),
        spent_s=spent_s + sitting.before_s + sitting.spent_s,
        run_id=tracked.run_id,
    )


def _folds(project: Project, search: Search, rows: LearningRows, count: int) -> tuple[Fold, ...]:
    if rows.times is None:
        seed = project.training.seed if search.seed is None else search.seed
        return folds_at_random(len(rows), count, seed)
    return folds_by_time(rows.times, search.folds, project.examples.label.mature_after, count)


def _sitting(question: Question, means: Means, tracked: TrackedSearch, name: str, part: str) -> Sitting:
    settings = Settings(
        greater_is_better=METRICS[question.metric].greater_is_better,
        sampler=question.search.sampler,
        pruner=question.search.pruner,
        seed=question.seed,
        first_fold=STEPS_A_FOLD,
        last_fold=STEPS_A_FOLD * len(question.folds),
    )
    study = means.studies.open(name, settings)
    return Sitting(
        question=question,
        study=study,
        tracked=tracked,
        trials=means.trials,
        clock=means.clock,
        say=lambda line: means.say(f"{part}: {line}" if part else line),
        began_s=means.clock.monotonic_s(),
        before_s=study.spent_s,
    )


def _value(question: Question, source: ModelSource, held: LearningRows) -> float:
    """The metric of a model, fitted on all rows of a search, on rows that it never saw."""
    teach, training = question.rows, question.project.training
    model = fit_model(source, teach, training.seed, how=training)
    return measured((question.metric,), held.filled(), model.scores(held.features))[question.metric]
