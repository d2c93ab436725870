"""evaluate: is the model good enough to become a candidate? Asked on rows that it has not learned from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from trimtab.api.errors import TrimtabError
from trimtab.api.project import Project
from trimtab.features.columns import Array, Columns, take
from trimtab.features.declaration import Request
from trimtab.features.definition import FeatureDefinition
from trimtab.features.plan import ServingPlan
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.quality.bootstrap import Interval, evidence_blocks, metric_interval
from trimtab.quality.calibration import CalibrationBin, calibration
from trimtab.quality.fairness import Fairness, LimitResult
from trimtab.quality.gates import Difference, GateResult, paired_difference
from trimtab.quality.importance import Importance, permutation_importance
from trimtab.quality.metrics import METRICS, Metric
from trimtab.quality.slice_search import Searched, worst_slices
from trimtab.quality.slices import Slice, slices
from trimtab.steps.behaviour import BehaviourResult
from trimtab.steps.cheaper import Cheaper, consider
from trimtab.steps.evaluation_report import render
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.judgement import (
    LEAST_PAIRED_ROWS,
    Ask,
    Held,
    Judgement,
    against_stable,
    beside,
    check_questions,
    judgement,
)
from trimtab.steps.learning_rows import LearningRows, read_learning_rows
from trimtab.steps.raw_inputs import raw_inputs
from trimtab.steps.stable import months_dropped, stable_scores, unseen_by
from trimtab.steps.train import metric_names, rows_of_window, split

LOSSES: Mapping[str, str] = {
    "binary": "log_loss",
    "multiclass": "log_loss",
    "regression": "mean_squared_error",
}
"""By task, the loss by which slices and importances are told, where no metric of the project has one."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What evaluate found on the test rows.

    Attributes:
        passed: every gate let the model through, or a person forced it.
        forced: a gate said no, and `force` overruled it.
        because: one sentence: the gates that refused, or what was reached; and a warning where the window drops
            months that stable has seen, or a behaviour test that only warns fails.
        days: 0 without a time.
        metrics: by name.
        intervals: of each metric, 95 %, by day where there is a time.
        differences: how much worse each metric is than stable's on the same rows, where there are such.
        beside: why there are no differences; "" where there are, or nothing serves.
        searched: slices where the loss is highest; None where they were not asked for.
        importances: of each feature, by the loss.
        loss: the metric of both.
        cheaper: what became of the 8-bit form; None where it was not asked for.
    """

    passed: bool
    forced: bool
    because: str
    rows: int
    days: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    gates: tuple[GateResult, ...]
    limits: tuple[LimitResult, ...]
    behaviour: tuple[BehaviourResult, ...]
    differences: Mapping[str, Difference]
    beside: str
    fairness: tuple[Fairness, ...]
    slices: tuple[Slice, ...]
    searched: Searched | None
    importances: tuple[Importance, ...]
    loss: str
    calibration: tuple[CalibrationBin, ...]
    cheaper: Cheaper | None


def evaluate(
    project: Project,
    fitted: Path,
    features: Pointer,
    engine: Engine,
    tables: Tables,
    tracking: Tracking | None,
    report: Path | None = None,
    stable: Path | None = None,
    pointers: Mapping[str, Pointer] | None = None,
    window: timedelta | None = None,
    definition: FeatureDefinition | None = None,
    *,
    force: bool = False,
) -> Evaluated:
    """Judge a trained model on its test rows; its folder then holds the metrics too.

    Args:
        fitted: folder that train made.
        report: where the HTML report goes.
        stable: model folder of the revision in service; None before the first.
        pointers: the tables, for a stable whose features.py is another, and for behaviour tests.
        definition: features.py, for behaviour tests; None where the project has none.
        force: let it through though a gate refuses; the answer says so.

    Raises:
        InputRefused: a gate, metric, gap or behaviour test does not fit the task.
    """
    model = FittedModel.load(fitted)
    rows = rows_of_window(project, read_learning_rows(features, engine, tables), window)
    held, beside_stable = _held(project, rows, engine, stable, pointers or {}, definition)
    ask = _one_thread(model)
    found = judgement(project, held, ask)
    loss = _loss(held)
    seed, refused = project.training.seed, found.refused
    evaluated = Evaluated(
        passed=not refused or force,
        forced=bool(refused) and force,
        because="; ".join([*(refused or [_reached(found.metrics)]), *_warned(stable, rows, found)]),
        rows=len(held.rows),
        days=0 if rows.times is None else len(np.unique(held.blocks)),
        metrics=found.metrics,
        intervals={
            name: metric_interval(METRICS[name], held.labels, found.answers, held.blocks, seed, held.beside)
            for name in held.names
        },
        gates=found.gates,
        limits=found.limits,
        behaviour=found.behaviour,
        differences=_differences(held, found.answers),
        beside=beside_stable,
        fairness=found.fairness,
        slices=tuple(
            one
            for name in project.evaluation.slices
            for one in slices(
                name, held.rows.slices[name], held.labels, found.answers, held.names, beside=held.beside
            )
        ),
        searched=_searched(project, held, found.answers, loss),
        importances=permutation_importance(
            ask, held.rows.features, held.labels, loss, held.blocks, seed, held.beside
        ),
        loss=loss.name,
        calibration=calibration(held.labels, found.answers) if rows.plan.task == "binary" else (),
        cheaper=consider(project, model, held, found, take(rows.features, split(project, rows).training)),
    )
    small = evaluated.cheaper
    if small is not None and small.taken and small.after is not None:
        replace(model, metrics=small.after.metrics, quantize=small.mode).save(fitted)
    else:
        replace(model, metrics=evaluated.metrics, quantize="").save(fitted)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(project, model, evaluated))
    if tracking is not None and model.run_id:
        tracking.add(model.run_id, _record(evaluated, report))
        tracking.finish(model.run_id)
    return evaluated


def _held(
    project: Project,
    rows: LearningRows,
    engine: Engine,
    stable: Path | None,
    pointers: Mapping[str, Pointer],
    definition: FeatureDefinition | None,
) -> tuple[Held, str]:
    """The held-out rows; and why stable's answers to them are not among them."""
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


def _one_thread(model: FittedModel) -> Ask:
    """The model on one OpenMP thread: see `contract.fitted`."""
    from threadpoolctl import threadpool_limits

    def ask(features: Columns) -> Array:
        with threadpool_limits(limits=1, user_api="openmp"):
            return model.scores(features)

    return ask


def _input_is_output(plan: ServingPlan) -> FeatureDefinition:
    return FeatureDefinition(Request(**{field.name: field.type for field in plan.inputs}))


def _loss(held: Held) -> Metric:
    named = [METRICS[name] for name in held.names if METRICS[name].row_loss is not None]
    return named[0] if named else METRICS[LOSSES[held.rows.plan.task]]


def _differences(held: Held, answers: Array) -> dict[str, Difference]:
    if held.stable is None:
        return {}
    seen, more = held.unseen, held.beside.taken(held.unseen)
    return {
        name: paired_difference(
            METRICS[name], held.labels[seen], answers[seen], held.stable, held.blocks[seen], more
        )
        for name in held.names
    }


def _searched(project: Project, held: Held, answers: Array, loss: Metric) -> Searched | None:
    if not project.evaluation.find_slices:
        return None
    losses = loss.losses(held.labels, answers, held.beside)
    columns = {**held.rows.features, **held.rows.slices}
    return worst_slices(columns, losses, held.blocks, project.training.seed)


def _reached(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _warned(stable: Path | None, rows: LearningRows, found: Judgement) -> list[str]:
    told = [
        f"warning: {test.sentence}" for test in found.behaviour if not (test.found.passed or test.refuses)
    ]
    months = months_dropped(stable, rows) if stable is not None else []
    return [
        *told,
        *(
            [f"warning: the window drops {', '.join(months)}, which stable has learned from"]
            if months
            else []
        ),
    ]


def _record(found: Evaluated, report: Path | None) -> RunRecord:
    metrics = {f"test.{name}": value for name, value in found.metrics.items()}
    for name, interval in found.intervals.items():
        metrics |= {f"test.{name}.lower": interval.lower, f"test.{name}.upper": interval.upper}
    for gaps in found.fairness:
        metrics |= {f"test.{name}.{gaps.attribute}": value for name, value in gaps.gaps.items()}
    for name, difference in found.differences.items():
        metrics[f"test.{name}.worse_than_stable_by"] = difference.mean
    return RunRecord(
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        tags={
            "trimtab.passed": str(found.passed).lower(),
            "trimtab.forced": str(found.forced).lower(),
            "trimtab.because": found.because,
        },
        artefacts=() if report is None else (report,),
    )
