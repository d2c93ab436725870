"""`trimtab run`: the training pipeline on this machine, step by step on the terminal."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    until: Annotated[
        str | None, typer.Option(help="Read nothing from this time on (RFC 3339). Default: now.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="How far back examples go: 90d, all. Default: the project's.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="A name in platform.yaml.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a run that failed or was killed: its id, or `latest`.")
    ] = None,
    force_past_gate: Annotated[
        bool, typer.Option("--force-past-gate", help="Let a refused model through; the report says so.")
    ] = False,
) -> int:
    """Run the training pipeline here: ingest, build, validate, featurize, train, evaluate, export, register.

    \b
    trimtab run
    trimtab run --until 2013-07-01T00:00:00Z --window 90d
    trimtab run --resume latest

    Exit status 1: the gates refused the model.
    """
    from trimtab.bootstrap.local import open_project, pipeline_host, prepare, run_parameters, stable_version
    from trimtab.local.runs import LocalRuns, TaskFailed, latest, new_id

    loaded, home = open_project(Path.cwd(), platform)
    shown = Steps()
    with pipeline_host(loaded, home) as host:
        runs = LocalRuns(prepare(loaded, home), lambda: host, shown)
        if resume is not None:
            identity = latest(home) if resume == "latest" else resume
            if identity is None:
                raise InputRefused("there is no run to go on with", remedy="trimtab run")
            shown.begin(identity, loaded.project.name)
            record = runs.resume(identity)
        else:
            identity = new_id()
            shown.begin(identity, loaded.project.name)
            stable = stable_version(loaded, home)
            record = runs.run(identity, run_parameters(_moment(until), window, stable, force_past_gate))
    failed = next((task for task in record.tasks if not task.succeeded), None)
    if failed is not None:
        raise TaskFailed(identity, failed)
    result = record.as_run()
    if result.passed is None:
        raise SurroundingsFailed(
            f"run {identity} ended before its gates", remedy=f"see {home.runs / identity}/kfp.log"
        )
    shown.end(result.passed, result.because, result.version, home.runs / identity)
    return ExitStatus.DONE if result.passed else ExitStatus.NO


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused(
            f"--until {text}: no RFC 3339 time", remedy="such as 2013-07-01T00:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Steps:
    """Prints one line a step as it ends; on a terminal, the step at work too."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console()
        self._status: Any = None
        self._began = time.monotonic()

    def begin(self, identity: str, project: str) -> None:
        self._console.print(f"run [bold]{identity}[/bold] of {project}", highlight=False)
        self._wait("starting: the first step waits for libraries to load (about 15 s)")

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "task_started":
            self._wait(event["task"])
        elif event["event"] == "task_ended":
            self._stop()
            mark = "[green]done[/green]  " if event["succeeded"] else "[red]failed[/red]"
            self._console.print(
                f"  {mark}  {event['task']:<12} {event['seconds']:7.2f} s  {made(event)}", highlight=False
            )

    def end(self, passed: bool, because: str, version: str | None, folder: Path) -> None:
        self._stop()
        verdict = "[green]candidate[/green]" if passed else "[red]refused[/red]"
        self._console.print(f"{verdict}: version {version}: {because}", highlight=False)
        took = time.monotonic() - self._began
        self._console.print(f"{took:.1f} s; logs and reports: {folder}", highlight=False, soft_wrap=True)

    def _wait(self, what: str) -> None:
        self._stop()
        if self._console.is_terminal:
            self._status = self._console.status(what)
            self._status.start()

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def made(event: Mapping[str, Any]) -> str:
    """What a step made, in a few words."""
    outputs = event.get("outputs") or {}
    return "  ".join(f"{name} {str(value)[:70]}" for name, value in outputs.items())
