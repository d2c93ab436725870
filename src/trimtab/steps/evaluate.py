"""evaluate: is the model good enough to become a candidate? Asked on rows that it has not learned from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.project import Gate as GateSpec
from trimtab.api.project import Project
from trimtab.features.columns import Array
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.quality.blocks import local_days
from trimtab.quality.calibration import CalibrationBin, calibration
from trimtab.quality.gates import Gate, GateResult, judge
from trimtab.quality.metrics import METRICS
from trimtab.quality.metrics import evaluate as measured
from trimtab.quality.slices import Slice, slices
from trimtab.steps.evaluation_report import render
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.learning_rows import LearningRows, read_learning_rows
from trimtab.steps.stable import months_dropped, stable_scores, unseen_by
from trimtab.steps.train import metric_names, rows_of_window, split

LEAST_PAIRED_ROWS = 200


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What evaluate found on the test rows.

    Attributes:
        passed: every gate let the model through, or a person forced it.
        forced: a gate said no, and `force` overruled it.
        because: one sentence: the gates that refused, or what was reached; and a warning where the window drops
            months that stable has seen.
        metrics: by name.
    """

    passed: bool
    forced: bool
    because: str
    rows: int
    days: int
    metrics: Mapping[str, float]
    gates: tuple[GateResult, ...]
    slices: tuple[Slice, ...]
    calibration: tuple[CalibrationBin, ...]


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
    *,
    force: bool = False,
) -> Evaluated:
    """Judge a trained model on its test rows; its folder then holds the metrics too.

    Args:
        fitted: folder that train made.
        report: where the HTML report goes.
        stable: model folder of the revision in service; None before the first.
        pointers: the tables, for a stable whose features.py is another.
        force: let it through though a gate refuses; the answer says so.

    Raises:
        InputRefused: a gate or metric does not fit the task.
    """
    model = FittedModel.load(fitted)
    rows = rows_of_window(project, read_learning_rows(features, engine, tables), window)
    test = rows.taken(split(project, rows).test)
    labels = test.filled()
    names = metric_names(project, test.plan.task)
    _check_metrics(project, names, test.plan.task)
    candidate = model.scores(test.features)
    days = np.zeros(len(test), np.int64) if test.times is None else local_days(test.times, project.time_zone)
    metrics = measured(names, labels, candidate)
    against: Array | None = None
    unseen = np.ones(len(test), bool)
    if stable is not None and any(_against_stable(gate) for gate in project.evaluation.gates):
        unseen = unseen_by(stable, test)
        if unseen.sum() >= LEAST_PAIRED_ROWS:
            against = stable_scores(project, stable, test.taken(unseen), pointers or {}, engine)
    results = tuple(
        _judged(gate, labels, candidate, against, stable is not None, days, unseen)
        for spec in project.evaluation.gates
        for gate in (_gate(spec),)
    )
    refused = [result.because for result in results if not result.passed]
    found = Evaluated(
        passed=not refused or force,
        forced=bool(refused) and force,
        because="; ".join([*(refused or [_reached(metrics)]), *_warned(stable, rows)]),
        rows=len(test),
        days=len(np.unique(days)),
        metrics=metrics,
        gates=results,
        slices=tuple(
            one
            for name in project.evaluation.slices
            for one in slices(name, test.slices[name], labels, candidate, names)
        ),
        calibration=calibration(labels, candidate) if test.plan.task == "binary" else (),
    )
    replace(model, metrics=metrics).save(fitted)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(project, model, found))
    if tracking is not None and model.run_id:
        tracking.add(model.run_id, _record(found, report))
        tracking.finish(model.run_id)
    return found


def _judged(
    gate: Gate,
    labels: Array,
    candidate: Array,
    against: Array | None,
    serving: bool,
    days: Array,
    unseen: Array,
) -> GateResult:
    if not (gate.against_stable and serving):
        return judge(gate, labels, candidate, None, days)
    if against is None:
        rows = int(unseen.sum())
        because = (
            f"{gate.metric}: stable has not learned from only {rows} of the held-out rows; shadow must judge"
        )
        return GateResult(gate, True, because, float("nan"))
    return judge(gate, labels[unseen], candidate[unseen], against, days[unseen])


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


def _against_stable(spec: GateSpec) -> bool:
    return _gate(spec).against_stable


def _check_metrics(project: Project, names: tuple[str, ...], task: str) -> None:
    for name in [*names, *(gate.metric for gate in project.evaluation.gates)]:
        if name not in METRICS or task not in METRICS[name].tasks:
            fit = [known for known, metric in METRICS.items() if task in metric.tasks]
            raise InputRefused(
                f"trimtab.yaml: evaluation names the metric '{name}', which a {task} task does not have",
                remedy=f"one of {', '.join(fit)}",
            )


def _reached(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _warned(stable: Path | None, rows: LearningRows) -> list[str]:
    months = months_dropped(stable, rows) if stable is not None else []
    return [f"warning: the window drops {', '.join(months)}, which stable has learned from"] if months else []


def _record(found: Evaluated, report: Path | None) -> RunRecord:
    return RunRecord(
        metrics={f"test.{name}": value for name, value in found.metrics.items() if np.isfinite(value)},
        tags={
            "trimtab.passed": str(found.passed).lower(),
            "trimtab.forced": str(found.forced).lower(),
            "trimtab.because": found.because,
        },
        artefacts=() if report is None else (report,),
    )
