"""train: fit a model on the rows before those that will judge it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from trimtab.api.project import Project
from trimtab.api.provenance import Chosen
from trimtab.features.columns import Array
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.ports.workers import Workers
from trimtab.quality.metrics import METRICS as KNOWN
from trimtab.quality.metrics import evaluate as measured
from trimtab.steps.fitting.circumstances import Circumstances
from trimtab.steps.fitting.contract import ModelSource, family_source, file_source, source_again
from trimtab.steps.fitting.fitted import FittedModel, digest_of_answers, fit_model
from trimtab.steps.fitting.graph import exported
from trimtab.steps.fitting.identity import identity_of
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.learning_rows import Rows, read_learning_rows
from trimtab.steps.network.journal import Journal, checkpoints_of
from trimtab.steps.search.before_test import search_before_test
from trimtab.steps.search.page import lead
from trimtab.steps.search.search import Means
from trimtab.steps.split import Parts, split_at_random, split_by_time
from trimtab.steps.stored_rows import StoredRows, stored_rows

R = TypeVar("R", bound=Rows)

EPOCH_ROWS = 20_000
SEARCH_PAGE = "search.html"
METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": ("log_loss", "roc_auc", "brier_score"),
    "multiclass": ("log_loss", "roc_auc", "accuracy"),
    "regression": ("root_mean_squared_error", "mean_absolute_error", "r2"),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """What train made; the fitted model lies in `folder`.

    Attributes:
        rows: training, validation and test rows.
        metrics: on the validation rows.
        epochs: passes that early stopping chose; None where the estimator has none.
        answers: digest of what the model answers on the validation rows, hex.
        searched: what a search found, in a sentence; "" without one.
        chosen: what is written down of that; None without one.
        circumstances: of the fit.
    """

    folder: Path
    run_id: str
    rows: Mapping[str, int]
    metrics: Mapping[str, float]
    epochs: int | None
    answers: str
    searched: str = ""
    chosen: Chosen | None = None
    circumstances: Circumstances = field(default_factory=Circumstances)


def train(
    project: Project,
    source: ModelSource,
    features: Pointer,
    engine: Engine,
    tables: Tables,
    tracking: Tracking | None,
    folder: Path,
    window: timedelta | None = None,
    lineage: Mapping[str, str] | None = None,
    means: Means | None = None,
    chosen: Chosen | None = None,
    checkpoints: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    workers: Workers | None = None,
) -> Trained:
    """Fit the project's model on a features table, after a search for it where the project asks for one.

    Args:
        source: as `model_source` gives.
        tracking: is told while it learns, and of a failure; None leaves no trace of the run.
        folder: where the fitted model goes.
        window: only rows at most this much older than the newest; None takes `training.window`.
        lineage: tags for the tracking run: bundle digest, commit, lock digest.
        means: what a search works with; its page lies in `folder` then.
        chosen: by an earlier search; it is fitted, and nothing is searched.
        checkpoints: root of those of networks, from which a training that was cut off goes on, and of what is kept of
            any such training: the run that it goes on in; None keeps none.
        say: is told how a network's training goes, a line an epoch and more within a long one; and if the tracking
            server is away.
        workers: where a network learns if `training.workers` is more than 1 or `training.where` kuberay; trials of a
            search do not.

    Raises:
        TrainingRefused: too few rows, one class only, a loss that is no number, or a search whose every trial failed.
        ModelRefused: model.py cannot be taken, or cannot be exported.
    """
    rows = rows_of_window(project, stored_rows(features, tables), window)
    labels = rows.filled()
    parts = split(project, rows)
    _check_classes(rows, labels, parts)
    names = _plain_metrics(project, rows.plan.task)
    found = None
    if chosen is not None:
        source = source_again(source, chosen.family, chosen.params)
    elif project.search is not None and means is not None:
        page = folder / SEARCH_PAGE
        found = search_before_test(
            project,
            project.search,
            source,
            rows_of_window(project, read_learning_rows(features, engine, tables), window),
            parts,
            names[0],
            features,
            means,
            tracking,
            page,
            lineage or {},
        )
        source, chosen = found.source, found.chosen
    training, validation = rows.taken(parts.training), rows.taken(parts.validation)
    kept = checkpoints_of(
        checkpoints, identity_of(project, source, features, rows.until, window, "train"), say
    )
    run_name = f"{source.name}-{features.version}"
    tags = {**(lineage or {}), **({"trimtab.search.run": found.run_id} if found else {})}

    def start() -> str:
        assert tracking is not None
        return tracking.start(project.name, run_name, RunRecord(tags=_data_tags(project, features, tags)))

    with Journal(tracking, start, say, kept) as journal:
        model = fit_model(
            source,
            training,
            project.training.seed,
            validation,
            how=project.training,
            watch=journal.watch,
            workers=workers,
        )
        exported(model.preprocessing, model.estimator, rows.plan.outputs, rows.plan.task, source.name)
        scores = model.scores_of(validation)
        metrics = measured(names, labels[parts.validation], scores)
        if rows.times is not None:
            model = replace(model, tested_from=f"{rows.times[parts.test].min()}Z")
        if tracking is not None:
            epochs = _epochs(model, validation, labels[parts.validation], names[0])
            journal.done()
            tracking.add(journal.run_id, _record(model, features, metrics, epochs, tags, project))
            model = model.tracked(journal.run_id)
        model.save(folder)
    if kept is not None:
        kept.clear()
    if found is not None and means is not None:
        means.studies.clear()
    counts = {name: int(getattr(parts, name).sum()) for name in ("training", "validation", "test")}
    answers, searched = digest_of_answers(scores), lead(found) if found else ""
    return Trained(
        folder,
        model.run_id,
        counts,
        metrics,
        model.frozen.get("max_iter"),
        answers,
        searched,
        chosen,
        model.circumstances,
    )


def model_source(project: Project, root: Path) -> ModelSource:
    """The project's model: a family, or its model.py in `root`."""
    if isinstance(project.model, str):
        return file_source(root / project.model)
    return family_source(project.model.family, project.model.params)


def rows_of_window(project: Project, rows: R, window: timedelta | None) -> R:
    """Usable rows within the training window.

    Raises:
        TrainingRefused: there are none.
    """
    length = window or (None if project.training.window == "all" else project.training.window)
    length = None if length == timedelta.max else length
    wanted = rows.usable()
    if not wanted.any():
        raise TrainingRefused(
            f"none of {len(rows)} examples has a mature label",
            remedy="see examples.label: knownAt, matureAfter and missing; or run with a later until",
        )
    if length is not None:
        if rows.times is None:
            raise TrainingRefused(
                "training.window needs examples.time", remedy="name the time column, or say all"
            )
        wanted = wanted & (rows.times > rows.times[wanted].max() - np.timedelta64(length, "us"))
    return rows.taken(wanted)


def split(project: Project, rows: Rows) -> Parts:
    """Training, validation and test rows."""
    if rows.times is None:
        return split_at_random(len(rows), project.training.split, project.training.seed)
    return split_by_time(rows.times, project.training.split, project.examples.label.mature_after)


def metric_names(project: Project, task: str) -> tuple[str, ...]:
    """The project's metrics, or those of the task; log loss is always among a classifier's."""
    return tuple(project.evaluation.metrics) or METRICS[task]


def _plain_metrics(project: Project, task: str) -> tuple[str, ...]:
    """Those that need labels and predictions alone; the others are told on the test rows."""
    names = metric_names(project, task)
    plain = tuple(name for name in names if name not in KNOWN or KNOWN[name].needs is None)
    return plain or METRICS[task]


def _check_classes(rows: Rows, labels: Array, parts: Parts) -> None:
    plan = rows.plan
    if plan.task == "regression":
        return
    found = np.unique(labels[parts.training]).astype(int).tolist()
    if len(found) < len(plan.classes):
        held = ", ".join(plan.classes[i] for i in found)
        raise TrainingRefused(
            f"label '{plan.label.column}' is only {held} in the {int(parts.training.sum())} training rows, of the "
            f"classes {', '.join(plan.classes) or held}",
            remedy="a classifier needs rows of each class: train on a longer window, or see the label's SQL",
        )


def _epochs(
    model: FittedModel, validation: StoredRows, labels: Array, metric: str
) -> dict[str, Sequence[float]]:
    """The first metric after each epoch, on at most 20,000 validation rows, evenly over time."""
    rows = np.linspace(0, len(validation) - 1, min(len(validation), EPOCH_ROWS)).astype(int)
    values = [
        measured((metric,), labels[rows], scores)[metric]
        for scores in model.scores_by_epoch(validation.taken(rows).features)
    ]
    return {f"validation.{metric}.by_epoch": values} if values else {}


def _record(
    model: FittedModel,
    features: Pointer,
    metrics: Mapping[str, float],
    epochs: Mapping[str, Sequence[float]],
    lineage: Mapping[str, str],
    project: Project,
) -> RunRecord:
    params: dict[str, Any] = {"model": model.name, **model.params, **model.frozen, "seed": model.seed}
    given = model.estimator.get_params() if hasattr(model.estimator, "get_params") else {}
    params |= {
        f"estimator.{name}": value for name, value in given.items() if isinstance(value, int | float | str)
    }
    return RunRecord(
        params={name: str(value) for name, value in params.items()},
        metrics={f"validation.{name}": value for name, value in metrics.items()},
        history=epochs,
        tags={
            **_data_tags(project, features, lineage),
            "trimtab.transform.digest": model.plan.transform_digest,
            "trimtab.model.digest": model.model_digest,
            "trimtab.learned.from": model.learned_from,
            "trimtab.learned.to": model.learned_to,
            "trimtab.rows": str(model.rows),
            "trimtab.seed": str(model.seed),
        },
    )


def _data_tags(project: Project, features: Pointer, lineage: Mapping[str, str]) -> dict[str, str]:
    return {
        "trimtab.project": project.name,
        "trimtab.features.table": features.table,
        "trimtab.features.version": str(features.version),
        "trimtab.features.digest": features.digest,
        **lineage,
    }
