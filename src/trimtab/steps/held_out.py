"""The rows that judge a model: those held out, with all that judging needs beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.api.errors import TrimtabError
from trimtab.api.project import Project
from trimtab.features.columns import Array, Columns
from trimtab.features.declaration import Request
from trimtab.features.definition import FeatureDefinition
from trimtab.features.plan import ServingPlan
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer
from trimtab.quality.bootstrap import evidence_blocks
from trimtab.quality.metrics import Beside
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.questions import against_stable, check_questions
from trimtab.steps.raw_inputs import raw_inputs
from trimtab.steps.stable import stable_scores, unseen_by
from trimtab.steps.train import metric_names, split

LEAST_PAIRED_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Held:
    """The held-out rows, and what judging needs beside them.

    Attributes:
        labels: shape (rows,).
        blocks: number of each row's day (or of a lot of rows, without a time), shape (rows,).
        days: the same, but 0 for all without a time: gates beside stable then have no error to go by.
        names: the metrics.
        stable: the answers of the revision in service to the rows that it has not learned from; None where
            nothing serves, or too few such rows are left.
        unseen: mask of those rows, shape (rows,).
        serving: there is a revision in service.
        inputs: of features.py for these rows, where behaviour tests need them.
    """

    rows: LearningRows
    labels: Array
    blocks: Array
    days: Array
    names: tuple[str, ...]
    beside: Beside
    stable: Array | None
    unseen: Array
    serving: bool
    definition: FeatureDefinition
    inputs: Columns


def held_out(
    project: Project,
    rows: LearningRows,
    engine: Engine,
    stable: Path | None,
    pointers: Mapping[str, Pointer],
    definition: FeatureDefinition | None,
) -> tuple[Held, str]:
    """The held-out rows; and why stable's answers to them are not among them.

    Args:
        stable: model folder of the revision in service; None before the first.
        pointers: the tables, for a stable whose features.py is another, and for behaviour tests.
        definition: features.py; None where the project has none.

    Raises:
        InputRefused: a metric, gate or gap does not fit the task, or what it needs is not there.
    """
    parts, plan = split(project, rows), rows.plan
    test = rows.taken(parts.test)
    names = metric_names(project, plan.task)
    check_questions(project, names, plan.task, rows.times is not None)
    more = beside(project, rows, rows.filled(), parts.training, parts.test)
    unseen, answers, because = np.ones(len(test), bool), None, ""
    if stable is not None:
        unseen = unseen_by(stable, test)
        if unseen.sum() >= LEAST_PAIRED_ROWS:
            try:
                answers = stable_scores(project, stable, test.taken(unseen), pointers, engine)
            except TrimtabError as error:
                if against_stable(project):
                    raise
                because = f"stable cannot be asked: {error.message}"
        else:
            because = f"stable has not learned from only {int(unseen.sum())} of these rows"
    asked_of = definition or _input_is_output(plan)
    inputs: Columns = {}
    if project.evaluation.behaviour:
        inputs = raw_inputs(project, test, asked_of.request, plan.views, pointers, engine)
    blocks = evidence_blocks(test.times, project.time_zone, len(test), project.training.seed, more.groups)
    return Held(
        rows=test,
        labels=test.filled(),
        blocks=blocks,
        days=np.zeros(len(test), np.int64) if test.times is None else blocks,
        names=names,
        beside=more,
        stable=answers,
        unseen=unseen,
        serving=stable is not None,
        definition=asked_of,
        inputs=inputs,
    ), because


def beside(project: Project, rows: LearningRows, labels: Array, training: Array, test: Array) -> Beside:
    """What metrics need beside the test rows' labels and answers.

    The naive forecast of a row is the label before it in time, of its group where one is declared (Hyndman &
    Koehler 2006, season 1); its mean absolute error is taken on the training rows.
    """
    column = project.evaluation.group
    groups: NDArray[np.int64] | None = None
    if column is not None:
        groups = np.unique(rows.slices[column].astype(str), return_inverse=True)[1].astype(np.int64)
    scale: float | None = None
    if rows.times is not None and rows.plan.task == "regression":
        series = np.zeros(len(labels), np.int64) if groups is None else groups
        order = np.flatnonzero(training)
        order = order[np.lexsort((rows.times[order], series[order]))]
        follows = np.diff(series[order]) == 0
        steps = np.abs(np.diff(labels[order]))[follows]
        scale = float(steps.mean()) if len(steps) and steps.any() else float("nan")
    return Beside(None if groups is None else groups[test], scale)


def _input_is_output(plan: ServingPlan) -> FeatureDefinition:
    return FeatureDefinition(Request(**{field.name: field.type for field in plan.inputs}))
