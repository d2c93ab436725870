"""evaluate: is the model good enough to become a candidate? Asked on rows that it has not learned from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from trimtab.api.project import Project
from trimtab.features.columns import Array, Columns, take
from trimtab.features.definition import FeatureDefinition
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.quality.bootstrap import Interval, metric_interval
from trimtab.quality.calibration import CalibrationBin, calibration, calibration_of_confidence
from trimtab.quality.fairness import Fairness, LimitResult
from trimtab.quality.gates import Difference, GateResult, paired_difference
from trimtab.quality.importance import Importance, permutation_importance
from trimtab.quality.metrics import METRICS, Metric
from trimtab.quality.slice_search import Searched, worst_slices
from trimtab.quality.slices import Slice, slices
from trimtab.steps.attributions import Attribution, attributions
from trimtab.steps.background import background_of
from trimtab.steps.behaviour import BehaviourResult
from trimtab.steps.cheaper import Cheaper, consider
from trimtab.steps.evaluation_report import render
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.fitting.forms import AS_IT_IS
from trimtab.steps.held_out import Held, held_out
from trimtab.steps.judgement import Ask, Judgement, judgement
from trimtab.steps.learning_rows import LearningRows, read_learning_rows
from trimtab.steps.stable import months_dropped
from trimtab.steps.train import rows_of_window, split

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
        attributions: of each feature, in the unit of the answer.
        calibration: of the positive class, or of the likeliest of several; empty for a regression.
        cheaper: what became of the smaller form; None where none was asked for.
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
    attributions: tuple[Attribution, ...]
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
    held, beside_stable = held_out(project, rows, engine, stable, pointers or {}, definition)
    ask = _one_thread(model)
    found = judgement(project, held, ask)
    loss = _loss(held)
    seed, refused = project.training.seed, found.refused
    training = split(project, rows).training
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
        attributions=attributions(
            ask,
            held.rows.features,
            found.answers,
            background_of(ask, rows.features, np.flatnonzero(training)),
            seed,
        ),
        calibration=_calibration(rows.plan.task, held.labels, found.answers),
        cheaper=consider(project, model, held, found, take(rows.features, training)),
    )
    small = evaluated.cheaper
    if small is not None and small.taken and small.after is not None:
        replace(model, metrics=small.after.metrics, cheaper=small.form).save(fitted)
    else:
        replace(model, metrics=evaluated.metrics, cheaper=AS_IT_IS).save(fitted)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(project, model, evaluated))
    if tracking is not None and model.run_id:
        tracking.add(model.run_id, _record(evaluated, report))
        tracking.finish(model.run_id)
    return evaluated


def _one_thread(model: FittedModel) -> Ask:
    """The model on one OpenMP thread: see `contract.fitted`."""
    from threadpoolctl import threadpool_limits

    def ask(features: Columns) -> Array:
        with threadpool_limits(limits=1, user_api="openmp"):
            return model.scores(features)

    return ask


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


def _calibration(task: str, labels: Array, answers: Array) -> tuple[CalibrationBin, ...]:
    if task == "binary":
        return calibration(labels, answers)
    return calibration_of_confidence(labels, answers) if task == "multiclass" else ()


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
        attribute = re.sub(r"[^\w\-. ]", "_", gaps.attribute)  # what a tracking server takes in a name
        metrics |= {f"test.{name}.{attribute}": value for name, value in gaps.gaps.items()}
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
