"""Composition root of a pipeline task: one function a component, from its parameters to a step and back.

Those that make the rows are in `rows`, those that ask a model about them in `prediction`.

A component's source travels inside the IR and only calls in here, so an image needs the wheel alone.
"""

import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.adapters.kfp.warm import LOG_VARIABLE, PROGRESS
from trimtab.api.provenance import Chosen, Results
from trimtab.bootstrap.artefacts import (
    draw,
    keep_provenance,
    read_pointers,
    read_provenance,
    write_pointers,
)
from trimtab.bootstrap.ending import ended_in_order
from trimtab.bootstrap.failing import tells_failure
from trimtab.bootstrap.parameters import owner_of_claims, run_of, window_of
from trimtab.bootstrap.rows import Versioned
from trimtab.bootstrap.workplace import Workplace

if TYPE_CHECKING:
    from trimtab.ports.claims import Claims


class Trained(NamedTuple):
    run: str


class Judged(NamedTuple):
    passed: bool
    because: str


class Exported(NamedTuple):
    digest: str


class Registered(NamedTuple):
    version: str
    candidate: bool
    labelled: int


def log(line: str) -> None:
    """Into a task's log, which is its standard output, at once; and to who waits for the task, as its progress."""
    print(line, flush=True)  # noqa: T201
    if own_log := os.environ.get(LOG_VARIABLE):
        with Path(own_log).with_suffix(PROGRESS).open("a", encoding="utf-8") as progress:
            progress.write(f"{line}\n")


@tells_failure
def admit(key: str, claims: str, run: str) -> bool:
    """Whether this run is the one of its key that takes effect."""
    identity = run_of(claims, run)
    held = claims_in(claims).take(key, identity)
    print(f"the claim of {key or 'nobody'} is held by run {held.run}; this is {identity}")  # noqa: T201  a task's log
    return held.run == identity


@tells_failure
def featurize(project: str, until: str, rows_version: str, rows: Any, features: Any) -> Versioned:
    """The features of every example, as of its time."""
    from trimtab.features.definition import load_features
    from trimtab.steps.featurize import featurize as step

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    file = place.loaded.project.features
    definition = load_features(place.loaded.root / file) if file else None
    made = step(place.loaded.project, definition, read_pointers(rows), place.engine, place.tables, end)
    for warning in made.warnings:
        log(f"warning: {warning}")
    return Versioned(write_pointers({"features": made.pointer}, features))


@tells_failure
def train(
    project: str,
    until: str,
    window: str,
    features_version: str,
    features: Any,
    model: Any,
    metrics: Any,
    chosen: Chosen | None = None,
) -> Trained:
    """A model fitted on the training part, looked for before that where the project says so.

    Args:
        chosen: by an earlier search, which is not made again.
    """
    from trimtab.adapters.clock import WallClock
    from trimtab.steps.search.search import Means
    from trimtab.steps.train import model_source
    from trimtab.steps.train import train as step

    place, pointer = Workplace.open(project), read_pointers(features)["features"]
    declared, tracking = place.loaded.project, place.tracking()
    made_by = place.provenance(pointer, until, window)
    means = None
    if declared.search is not None and chosen is None:
        aside = Path(model.path).parent / "search.db"
        means = Means(place.studies(pointer, until, window, aside, log), WallClock(), log, place.trials())
    with ended_in_order():
        made = step(
            declared,
            model_source(declared, place.loaded.root),
            pointer,
            place.engine,
            place.tables,
            tracking,
            Path(model.path),
            window_of(window),
            made_by.tags(),
            means=means,
            chosen=chosen,
            checkpoints=place.home.checkpoints,
            say=log,
            workers=place.workers(),
        )
    told = {"run": made.run_id, "results": Results(trained=made.answers), "chosen": made.chosen}
    made_by = place.learned(made_by, made.circumstances)
    keep_provenance(made_by.model_copy(update=told), Path(model.path), tracking)
    for name, value in made.metrics.items():
        metrics.log_metric(name, value)
    print(made)  # noqa: T201  a task's log is its standard output
    return Trained(made.run_id or "")


@tells_failure
def evaluate(
    project: str, window: str, stable: str, force_past_gate: bool, rows: Any, features: Any, model: Any, judged: Any,
    metrics: Any, curve: Any, report: Any,
) -> Judged:  # fmt: skip
    """A model judged on held-out rows. What it was given stays as it is: elsewhere it is another task's copy."""
    from trimtab.features.definition import load_features
    from trimtab.steps.curves import curves
    from trimtab.steps.evaluate import evaluate as step

    place = Workplace.open(project)
    shutil.copytree(model.path, judged.path, dirs_exist_ok=True)
    name = place.loaded.project.name
    held = place.registry().version(name, stable) if stable else None
    file = place.loaded.project.features
    found = step(
        place.loaded.project,
        Path(judged.path),
        read_pointers(features)["features"],
        place.engine,
        place.tables,
        place.tracking(),
        Path(report.path),
        place.folder(held.uri) if held else None,
        read_pointers(rows),
        window_of(window),
        load_features(place.loaded.root / file) if file else None,
        force=force_past_gate,
    )
    for metric, value in found.metrics.items():
        metrics.log_metric(metric, value)
        if (interval := found.intervals[metric]).known:
            metrics.log_metric(f"{metric}.lower", interval.lower)
            metrics.log_metric(f"{metric}.upper", interval.upper)
    draw(
        curves(
            place.loaded.project,
            Path(judged.path),
            read_pointers(features)["features"],
            place.engine,
            place.tables,
            window_of(window),
        ),
        curve,
    )
    forced = "forced past the gate: " if found.forced else ""
    return Judged(found.passed, f"{forced}{found.because}")


@tells_failure
def refit(project: str, window: str, model_version: str, features: Any, model: Any, final: Any) -> Versioned:
    """The judged model, fitted anew on all rows, and its daily skills on rows that it had not seen."""
    from trimtab.steps.refit import refit as step
    from trimtab.steps.train import model_source

    place, pointer = Workplace.open(project), read_pointers(features)["features"]
    declared, before = place.loaded.project, read_provenance(Path(model.path))
    made = step(
        declared,
        model_source(declared, place.loaded.root),
        Path(model.path),
        pointer,
        place.tables,
        Path(final.path),
        window_of(window),
        checkpoints=place.home.checkpoints,
        say=log,
        workers=place.workers(),
        tracking=place.tracking(),
    )
    after = place.learned(place.provenance(pointer, before.until, before.window), made.circumstances)
    told = {
        "run": before.run,
        "results": before.results,
        "refitted": made.refitted,
        "chosen": before.chosen,
    }
    keep_provenance(after.model_copy(update=told), Path(final.path))
    print(made)  # noqa: T201  a task's log is its standard output
    return Versioned(f"{model_version} on all rows")


@tells_failure
def materialize(project: str, until: str, rows: Any, features: Any) -> None:
    """The newest row of every key of every view into the online store."""
    from trimtab.adapters.feast.as_of_reader import DeltaAddress
    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.online import online_store, written_by_feast
    from trimtab.features.plan import ServingPlan

    place = Workplace.open(project)
    if written_by_feast(place.online):
        print(f"Feast fills what {place.online} reads: nothing to do")  # noqa: T201  a task's log is its standard output
        return
    pointer = read_pointers(features)["features"]
    plan = ServingPlan.from_json(place.tables.at(pointer.table, pointer.version).metadata["plan"])
    held = read_pointers(rows)
    addresses = {
        view.name: DeltaAddress(place.tables.address(held[view.name].table), held[view.name].version)
        for view in plan.views
    }
    kinds: dict[str, str] = {field.name: field.type for field in plan.inputs}
    store = online_store(place.online, place.loaded.project.name)
    try:
        written = materialise(plan.views, addresses, kinds, store, datetime.fromisoformat(until))
        print(f"keys written by view: {written}")  # noqa: T201  a task's log is its standard output
    finally:
        store.close()


@tells_failure
def export(project: str, features: Any, model: Any, servable: Any) -> Exported:
    """The model folder, proven."""
    from trimtab.steps.export import export as step

    place = Workplace.open(project)
    file = place.loaded.project.features
    made = step(
        place.loaded.project,
        Path(model.path),
        read_pointers(features)["features"],
        (place.loaded.root / file).read_bytes() if file else None,
        place.engine,
        place.tables,
        place.home.models,
        read_provenance(Path(model.path)),
    )
    if made.provenance is not None:
        keep_provenance(made.provenance, Path(servable.path).parent, place.tracking())
    print(f"differs from its source by at most {made.difference:.2g} on {made.rows} rows")  # noqa: T201
    Path(servable.path).write_text(
        json.dumps({"folder": str(made.folder.path), "digest": made.folder.digest})
    )
    servable.metadata.update({"digest": made.folder.digest, "framework": "ONNX"})
    return Exported(made.folder.digest)


@tells_failure
def register(
    project: str,
    until: str,
    key: str,
    claims: str,
    run: str,
    digest: str,
    passed: bool,
    because: str,
    servable: Any,
    card: Any,
) -> Registered:
    """The model folder as a version, if this run holds the claim of its key.

    Raises:
        AnswerIsNo: another run holds it.
    """
    from trimtab.adapters.mlflow.profiles import KEPT
    from trimtab.steps.model_card import markdown
    from trimtab.steps.model_folder import read_model_folder
    from trimtab.steps.register import Holder, register_once

    place = Workplace.open(project)
    folder = read_model_folder(Path(json.loads(Path(servable.path).read_text())["folder"]))
    done = register_once(
        Holder(claims_in(claims), key, run_of(claims, run)),
        place.registry([folder.path / name for name in KEPT]),
        place.loaded.project.name,
        folder,
        datetime.fromisoformat(until),
        passed=passed,
        because=because,
        uri=place.published(folder.path),
    )
    print(done)  # noqa: T201  a task's log is its standard output
    text = markdown(place.loaded.project.name, done, folder, until)
    Path(card.path).write_text(text, encoding="utf-8")
    return Registered(done.version, done.candidate, done.labelled)


@tells_failure
def report(project: str, until: str, status: Any, page: Any) -> None:
    """What the run did, whatever became of it."""
    from trimtab.steps.run_report import html

    place = Workplace.open(project)
    heads = [head for name in place.tables.names() if (head := place.tables.head(name)) is not None]
    versions = place.registry().versions(place.loaded.project.name)
    text = html(
        place.loaded.project.name,
        until or "its start",
        status.state,
        status.error_message or "",
        heads,
        versions,
    )
    Path(page.path).write_text(text, encoding="utf-8")


def claims_in(namespace: str) -> "Claims":
    """Where this run's key is claimed: in a namespace, or nowhere."""
    from trimtab.adapters.claims import InClusterClaims, Unclaimed

    return InClusterClaims(namespace, owner=owner_of_claims()) if namespace else Unclaimed()
