"""refit: after its gates, the model learns from all rows, so that the newest ones are not lost (verdicts.md 5).

Epochs stay as early stopping chose them. What the model's skill was on days it had not seen is measured on
the way, by fits that stop before the days that they score (verdicts.md 3).
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from trimtab.api.project import Project
from trimtab.features.columns import Array
from trimtab.ports.tables import Pointer, Tables
from trimtab.ports.tracking import Tracking
from trimtab.ports.workers import Workers
from trimtab.quality.blocks import local_days
from trimtab.quality.climatology import climatology, mature_days
from trimtab.quality.skill import daily_skill, rolling_origins
from trimtab.steps.fitting.circumstances import Circumstances
from trimtab.steps.fitting.contract import ModelSource
from trimtab.steps.fitting.fitted import FittedModel, fit_model
from trimtab.steps.fitting.identity import identity_of
from trimtab.steps.network.journal import Journal, checkpoints_of
from trimtab.steps.network.watch import Watch
from trimtab.steps.stored_rows import StoredRows, stored_rows
from trimtab.steps.train import rows_of_window

ORIGIN_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Refitted:
    """What refit made; the model lies in `folder`.

    Attributes:
        refitted: False where training.split.refit is off: the tested model itself, with its reference skills.
        rows: that the model learned from.
        skills: mean daily skill, out of sample, oldest first; empty without a time or two classes.
        circumstances: of the fit of that model.
    """

    folder: Path
    refitted: bool
    rows: int
    skills: tuple[float, ...]
    circumstances: Circumstances


def refit(
    project: Project,
    source: ModelSource,
    tested: Path,
    features: Pointer,
    tables: Tables,
    folder: Path,
    window: timedelta | None = None,
    checkpoints: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    workers: Workers | None = None,
    tracking: Tracking | None = None,
) -> Refitted:
    """Fit the tested model anew on all usable rows.

    Args:
        tested: folder of the model that train made and evaluate let through.
        folder: where the new one goes.
        checkpoints: root of those of networks; None keeps none.
        say: is told how a network's training goes.
        workers: where a network learns the final model, as in `train`.
        tracking: is told of it as it goes, in the run of the tested model; None leaves no trace.

    Raises:
        ModelRefused: build or fit raised.
        SurroundingsFailed: the tracking server is away when all is learned; what was learned is in the checkpoints.
    """
    model = FittedModel.load(tested)
    source = model.source(source)
    rows = rows_of_window(project, stored_rows(features, tables), window)
    labels = rows.filled()
    again = project.training.split.refit
    kept = checkpoints_of(
        checkpoints, identity_of(project, source, features, rows.until, window, "refit", **model.frozen), say
    )
    journal = Journal(tracking if model.run_id else None, model.run_id, say, kept, rows="refit")
    at_once = 1 if model.one_at_a_time else project.training.resources.cpu
    with journal, ThreadPoolExecutor(max_workers=at_once) as pool:
        everything = np.arange(len(rows))
        whole = (
            pool.submit(_fit, project, source, model, rows, everything, journal.watch, workers)
            if again
            else None
        )
        skills = _reference_skills(project, source, model, rows, pool)
        made = model if whole is None else whole.result()
        journal.done()
    made = replace(
        made,
        run_id=model.run_id,
        tested_from=model.tested_from,
        metrics=model.metrics,
        cheaper=model.cheaper,
        reference_skills=skills,
        plan=rows.plan,
    )
    made.answers(rows.taken(np.arange(min(100, len(rows)))).features)
    made.save(folder)
    if kept is not None:
        kept.clear()
    return Refitted(folder, again, len(labels) if again else model.rows, skills, made.circumstances)


def _fit(
    project: Project,
    source: ModelSource,
    model: FittedModel,
    rows: StoredRows,
    chosen: Array,
    watch: Watch | None = None,
    workers: Workers | None = None,
) -> FittedModel:
    return fit_model(
        source,
        rows.taken(chosen),
        model.seed,
        frozen=model.frozen,
        how=project.training,
        watch=watch,
        workers=workers,
    )


def _reference_skills(
    project: Project, source: ModelSource, model: FittedModel, rows: StoredRows, pool: ThreadPoolExecutor
) -> tuple[float, ...]:
    """Mean daily skill over the last 28 days; none where rows do not reach back far enough.

    A fit for an origin takes at most 100,000 rows, evenly over time: of 243,665 flights it gives a mean skill of
    -0.0348 instead of -0.0338, in half the time.
    """
    if rows.times is None or rows.plan.task != "binary":
        return ()
    zone, wait = project.time_zone, rows.plan.label.mature_after_s
    labels = rows.filled()
    days = local_days(rows.times, zone)
    reference = climatology(rows.times, labels, zone, mature_after_s=wait)
    fits = {}
    for first, scored in rolling_origins(int(days.max()), mature_days(wait)):
        known = days < first
        if len(np.unique(labels[known])) < 2:
            return ()
        taken = np.flatnonzero(known)
        fits[scored] = pool.submit(
            _fit, project, source, model, rows, taken[:: -(-len(taken) // ORIGIN_ROWS)]
        )
    means: dict[int, float] = {}
    for scored, fitted in fits.items():
        part = (days >= scored.start) & (days < scored.stop)
        if part.any():
            predicted = fitted.result().scores_of(rows.taken(part))
            found = daily_skill(days[part], labels[part], predicted, reference[part])
            means |= {day.day: day.mean for day in found}
    return tuple(means[day] for day in sorted(means))


def lineage_of(model: FittedModel) -> Mapping[str, str]:
    """Where a model comes from, as tags."""
    return {
        "trimtab.run": model.run_id,
        "trimtab.testedOn": model.run_id,
        "trimtab.testedFrom": model.tested_from,
        "trimtab.learned.from": model.learned_from,
        "trimtab.learned.to": model.learned_to,
        "trimtab.rows": str(model.rows),
        "trimtab.seed": str(model.seed),
        "trimtab.model": model.name,
        "trimtab.model.digest": model.model_digest,
        "trimtab.transform.digest": model.plan.transform_digest,
    }
