"""What may refuse a model: gates on metrics, limits on gaps between groups, behaviour tests.

They stand apart from what is only shown, so that the same questions can be put to the model in another form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.api.errors import InputRefused
from trimtab.api.evaluation import Gate as GateSpec
from trimtab.api.project import Project
from trimtab.features.columns import Array, Columns, Kind
from trimtab.features.definition import FeatureDefinition
from trimtab.quality.fairness import Fairness, LimitResult, fairness, judge_gap
from trimtab.quality.gates import Gate, GateResult, judge
from trimtab.quality.metrics import METRICS, Beside
from trimtab.quality.metrics import evaluate as measured
from trimtab.steps.behaviour import BehaviourResult, behave
from trimtab.steps.learning_rows import LearningRows

LEAST_PAIRED_ROWS = 200
Ask = Callable[[Columns], Array]
"""Features to answers, as `trimtab.quality` takes them."""


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of a model, or of another form of it.

    Attributes:
        answers: to the held-out rows.
        metrics: by name.
    """

    answers: Array
    metrics: Mapping[str, float]
    gates: tuple[GateResult, ...]
    fairness: tuple[Fairness, ...]
    limits: tuple[LimitResult, ...]
    behaviour: tuple[BehaviourResult, ...]

    @property
    def refused(self) -> list[str]:
        """A sentence for each thing that refuses the model."""
        return [
            *(gate.because for gate in self.gates if not gate.passed),
            *(limit.because for limit in self.limits if not limit.passed),
            *(test.sentence for test in self.behaviour if test.refuses),
        ]


def judgement(project: Project, held: Held, ask: Ask) -> Judgement:
    """Put every question of `evaluation` to a model.

    Raises:
        InputRefused: a behaviour test does not fit the model's inputs.
    """
    asked, rows = project.evaluation, held.rows
    answers = ask(rows.features)
    found: tuple[Fairness, ...] = ()
    if asked.fairness is not None:
        found = tuple(
            fairness(
                name,
                rows.slices[name],
                held.labels,
                answers,
                held.blocks,
                project.training.seed,
                asked.fairness.threshold,
                asked.fairness.min_rows,
            )
            for name in asked.fairness.attributes
        )
    limits = asked.fairness.limits if asked.fairness else []
    kinds: dict[str, Kind] = {field.name: field.type for field in rows.plan.inputs}
    kinds |= {column.name: column.type for view in rows.plan.views for column in view.columns}
    return Judgement(
        answers,
        measured(held.names, held.labels, answers, held.beside),
        tuple(_gated(_gate(spec), held, answers) for spec in asked.gates),
        found,
        tuple(judge_gap(gaps, limit.gap, limit.at_most) for gaps in found for limit in limits),
        behave(
            asked.behaviour,
            held.inputs,
            kinds,
            rows.ids,
            lambda inputs: ask(held.definition.features(inputs)),
            len(rows.plan.classes),
        ),
    )


def check_questions(project: Project, names: tuple[str, ...], task: str, timed: bool) -> None:
    """Every metric and gap fits the task, and what it needs is there.

    Raises:
        InputRefused: one does not; the message says which would, or what is missing.
    """
    for name in [*names, *(gate.metric for gate in project.evaluation.gates)]:
        if name not in METRICS or task not in METRICS[name].tasks:
            fit = [known for known, metric in METRICS.items() if task in metric.tasks]
            raise InputRefused(
                f"trimtab.yaml: evaluation names the metric '{name}', which a {task} task does not have",
                remedy=f"one of {', '.join(fit)}",
            )
        if METRICS[name].needs == "group" and project.evaluation.group is None:
            raise InputRefused(
                f"trimtab.yaml: the metric '{name}' ranks the rows of one group, and none is named",
                remedy="say evaluation.group: the column whose rows are ranked among themselves, such as query_id",
            )
        if METRICS[name].needs == "scale" and not timed:
            raise InputRefused(
                f"trimtab.yaml: the metric '{name}' is measured by the naive forecast, the row before, and "
                "examples have no time",
                remedy="name the time column under examples.time, or take mean_absolute_error",
            )
    if project.evaluation.fairness is not None and task != "binary":
        raise InputRefused(
            f"trimtab.yaml: evaluation.fairness compares calls of a binary label, and this is a {task} task",
            remedy="list its attributes under evaluation.slices to see the metrics of each group",
        )


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


def against_stable(project: Project) -> bool:
    """Whether a gate needs the revision in service."""
    return any(_gate(spec).against_stable for spec in project.evaluation.gates)


def _gated(gate: Gate, held: Held, answers: Array) -> GateResult:
    if not (gate.against_stable and held.serving):
        return judge(gate, held.labels, answers, None, held.days, held.beside)
    if held.stable is None:
        rows = int(held.unseen.sum())
        because = (
            f"{gate.metric}: stable has not learned from only {rows} of the held-out rows; shadow must judge"
        )
        return GateResult(gate, True, because, float("nan"))
    seen, held_beside = held.unseen, held.beside.taken(held.unseen)
    return judge(gate, held.labels[seen], answers[seen], held.stable, held.days[seen], held_beside)


def _gate(spec: GateSpec) -> Gate:
    """A gate of the project file as `trimtab.quality.gates` takes it."""
    if spec.at_least is not None:
        return Gate(spec.metric, "at_least", float(spec.at_least))
    if spec.at_most is not None:
        return Gate(spec.metric, "at_most", float(spec.at_most))
    worse = spec.no_worse_than_stable_by
    bound = worse or spec.better_than_stable_by
    assert bound is not None
    side = "no_worse_than_stable_by" if worse is not None else "better_than_stable_by"
    if bound.percent is not None:
        return Gate(spec.metric, side, float(bound.percent) / 100, relative=True)  # type: ignore[arg-type]  # one of two literals
    return Gate(spec.metric, side, float(bound.absolute or 0))  # type: ignore[arg-type]  # one of two literals
