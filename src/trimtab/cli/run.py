"""`trimtab run`: the training pipeline on this machine, step by step on the terminal."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trimtab.api.errors import ExitStatus, InputRefused

if TYPE_CHECKING:
    from trimtab.ports.runs import Run

_DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{4,52}\b")
_SHORT: Final = r"\1"


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
    openlineage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL", help="Send OpenLineage events there. Default: platform.yaml's, else none."
        ),
    ] = None,
) -> int:
    """Run the training pipeline here: ingest, build, validate, featurize, train, evaluate, export, register.

    \b
    trimtab run
    trimtab run --until 2013-07-01T00:00:00Z --window 90d
    trimtab run --resume latest
    trimtab run --openlineage http://marquez:5000

    A step that fails says why, and where its log is; --resume goes on from there, a search within its budget
    too. Exit status 1: the gates refused the model.
    """
    from trimtab.bootstrap.local import open_project
    from trimtab.local.training import go_on, train

    moment, length = _moment(until), _window(window)
    loaded, home = open_project(Path.cwd(), platform)
    if resume is not None and (until or window or force_past_gate or openlineage):
        raise InputRefused("--resume takes a run's own settings", remedy="leave the other options out")
    with Steps() as shown:
        if resume is not None:
            ended = go_on(loaded, home, shown, resume)
        else:
            ended = train(
                loaded,
                home,
                shown,
                until=moment,
                window=length,
                force_past_gate=force_past_gate,
                openlineage=openlineage,
            )
        shown.end(ended, home.runs / ended.id)
    return ExitStatus.DONE if ended.passed else ExitStatus.NO


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


def _window(text: str | None) -> str | None:
    from trimtab.api.values import parse_duration

    if text in (None, "all"):
        return text
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise InputRefused(f"--window {text}: {error}", remedy="such as 90d, or all") from None
    if not length:
        raise InputRefused(f"--window {text} holds no examples", remedy="such as 90d, or all")
    return text


class Steps:
    """Prints one line a step as it ends; on a terminal, the step at work too. A context manager."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._status: Any = None
        self._began = time.monotonic()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "run_started":
            self._console.print(f"run [bold]{event['run']}[/bold] of {event['project']}")
            if event["kept"]:
                self._line("kept", "", ", ".join(event["kept"]), "dim")
            self._wait("starting: libraries load (about 15 s)")
        elif event["event"] == "task_started":
            self._wait(event["task"])
        elif event["event"] == "warned":
            self._stop()
            self._line("warned", "", event["said"], "yellow")
        elif event["event"] == "task_progress":
            self._progress(event["task"], event["line"])
        elif event["event"] == "task_ended":
            self._stop()
            done = bool(event["succeeded"])
            took = f"{event['task']:<12} {event['seconds']:7.2f} s"
            self._line("done" if done else "failed", took, made(event), "green" if done else "red")

    def end(self, ended: "Run", folder: Path) -> None:
        """The last lines: what the gates said, and where to read more."""
        from rich.text import Text

        self._stop()
        verdict = Text("candidate", "green") if ended.passed else Text("refused", "red")
        verdict.append(f": version {ended.version}: {ended.because}", "default")
        self._console.print(verdict, soft_wrap=True)
        took = time.monotonic() - self._began
        self._console.print(f"{took:.1f} s; logs and reports: {folder}", soft_wrap=True, markup=False)

    def _line(self, mark: str, took: str, rest: str, colour: str) -> None:
        from rich.text import Text

        line = Text.assemble("  ", (f"{mark:<6}", colour), "  ", f"{took}  " if took else "", rest)
        terminal = self._console.is_terminal
        self._console.print(line, no_wrap=True, overflow="ellipsis" if terminal else "ignore", crop=terminal)

    def _progress(self, task: str, line: str) -> None:
        """On a terminal in place of what stood there, else as a line of its own."""
        if self._status is not None:
            self._status.update(f"{task}: {line}")
        else:
            self._line("", task, line, "dim")

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
    """What a step made, in a few words; digests by their first 12 digits.

    >>> made({"outputs": {"digest": "59de0227671ff1a7", "passed": True, "because": ""}})
    'digest 59de0227671f  passed yes'
    """
    outputs = event.get("outputs") or {}
    words = {True: "yes", False: "no"}
    shown = {name: words[value] if isinstance(value, bool) else str(value) for name, value in outputs.items()}
    return "  ".join(f"{name} {_DIGEST.sub(_SHORT, value)}" for name, value in shown.items() if value)
