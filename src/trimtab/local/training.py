"""One run of a project's training pipeline here, for the command and for Python alike."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from trimtab.adapters.openlineage import transport
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.bootstrap.local import pipeline_host, prepare, run_parameters, stable_version
from trimtab.local.extras import RUN, need
from trimtab.local.runs import LocalRuns, Record, TaskFailed, latest, new_id
from trimtab.ports.runs import Run, RunState

LATEST = "latest"


def train(
    loaded: Loaded,
    home: Home,
    on_event: Callable[[Mapping[str, Any]], None],
    *,
    until: datetime | None = None,
    window: str | None = None,
    force_past_gate: bool = False,
    openlineage: str | None = None,
) -> Run:
    """A new run, to its end.

    Args:
        on_event: hears `run_started` {run, project, kept: names of steps taken over}, then of each task.
        until: nothing from this time on is read; None for now.
        window: how far back examples go; None for the project's own.
        openlineage: where the run sends what it read and wrote; None for the platform's.

    Raises:
        ExtraMissing: an optional part is not installed.
        TaskFailed: a step failed; names it, its reason and its log.
    """
    need("trimtab run", *RUN)
    need_of_project(loaded)
    parameters = run_parameters(until, window, stable_version(loaded, home), force_past_gate)
    if openlineage is not None:
        transport(openlineage)  # refuses what it cannot be, before anything runs
    identity = new_id()
    on_event({"event": "run_started", "run": identity, "project": loaded.project.name, "kept": []})
    with pipeline_host(home) as host:
        prepared = prepare(loaded, home)
        asked = replace(prepared, openlineage=openlineage or prepared.openlineage)
        return ended(LocalRuns(asked, lambda: host, on_event).run(identity, parameters), home)


def go_on(loaded: Loaded, home: Home, on_event: Callable[[Mapping[str, Any]], None], identity: str) -> Run:
    """Go on with a run that failed or was killed, from its first step that is not done.

    Args:
        identity: its id, or `latest`.

    Raises:
        InputRefused: no such run, it ended well, or the project changed since.
        TaskFailed: a step failed.
    """
    need("trimtab run", *RUN)
    need_of_project(loaded)
    found = latest(home) if identity == LATEST else identity
    if found is None:
        raise InputRefused("there is no run to go on with", remedy="trimtab run")
    prepared = prepare(loaded, home)
    before = LocalRuns.resumable(prepared, found)
    kept = [task.name for task in before.tasks if task.succeeded and task.name != "report"]
    on_event({"event": "run_started", "run": found, "project": loaded.project.name, "kept": kept})
    with pipeline_host(home) as host:
        return ended(LocalRuns(prepared, lambda: host, on_event).resume(before), home)


def need_of_project(loaded: Loaded) -> None:
    """Return when what trimtab.yaml asks for beyond a plain run is here.

    Raises:
        ExtraMissing: naming what is not.
    """
    if loaded.project.search is not None:
        need("search: of trimtab.yaml", "search")


def ended(record: Record, home: Home) -> Run:
    """A run that came to its gates.

    Raises:
        TaskFailed: a step failed.
        SurroundingsFailed: it failed outside its steps, or ended before its gates.
    """
    failed = next((task for task in record.tasks if not task.succeeded), None)
    if failed is not None:
        raise TaskFailed(record.id, failed)
    run, log = record.as_run(), home.runs / record.id / "kfp.log"
    if run.state is RunState.FAILED:
        raise SurroundingsFailed(
            f"run {record.id} failed outside its steps: {record.error}",
            remedy=f"see {log}; then: trimtab run --resume {record.id}",
        )
    if run.passed is None:
        raise SurroundingsFailed(f"run {record.id} ended before its gates", remedy=f"see {log}")
    return run
