"""Verbs on what runs on this machine: up, down, status, logs, clean."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.api.errors import ExitStatus

if TYPE_CHECKING:
    from trimtab.adapters.processes import ChildStatus
    from trimtab.local.plane import Plane

FOLLOW_S = 0.2
SERVED_WITHIN_S = 180.0
RUNS_SHOWN = 3


def register(app: typer.Typer) -> None:
    for verb in (up, down, status, logs, clean):
        app.command(verb.__name__)(verb)


def up(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Where clients ask, on 127.0.0.1; 0: the last one, or a free one."
        ),
    ] = 0,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="MLflow's pages too.")] = False,
    platform: Annotated[str | None, typer.Option(help="A name in platform.yaml.")] = None,
) -> None:
    """Serve this project here: gateway, collector, model servers, and the loop. They outlive the terminal.

    \b
    trimtab up
    trimtab up --port 8080
    """
    from rich.console import Console

    from trimtab.local.extras import UP, need

    plane = _plane(platform)
    need("trimtab up", *UP)
    console = Console()
    with console.status("starting the gateway and the collector"):
        plane.up(port)
        plane.steer(Path.cwd(), platform)
    served = False
    if any(plane.home.models.glob("*")):
        with console.status("bringing the model into service"):
            served = plane.wait_until_served(SERVED_WITHIN_S)
    console.print(f"{plane.model_name} is up at [bold]{plane.url}[/bold]", highlight=False)
    if served and (row := plane.curl()):
        console.print(f"ask it:  {row}", highlight=False, soft_wrap=True)
    else:
        console.print("no revision is in service yet: trimtab run, or see trimtab logs loop", highlight=False)
    if mlflow:
        with console.status("starting MLflow's pages"):
            console.print(f"MLflow:  {plane.mlflow_ui()}", highlight=False)
    console.print("see it:  trimtab status    end it:  trimtab down", highlight=False)


def down() -> None:
    """End everything that `up` started in this project, also what a crash left behind.

    \b
    trimtab down
    """
    _plane(None).down()
    typer.echo("nothing of this project runs any more")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> int:
    """What runs here, and the last runs of the pipeline.

    \b
    trimtab status
    trimtab status --json

    Exit status 1: something is not ready. 4: the plane is not up.
    """
    plane = _plane(None)
    if not as_json:
        _print_runs(plane)
        _print_conditions(plane)
    children = plane.status()
    if as_json:
        typer.echo(json.dumps([child.to_json() for child in children], indent=1))
    else:
        _print(plane, children)
    ready = all(child.state.value == "ready" for child in children)
    return ExitStatus.DONE if ready else ExitStatus.NO


def logs(
    name: Annotated[str, typer.Argument(help="A name that `status` shows, or supervisor.")] = "supervisor",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
) -> None:
    """The last lines of what a process wrote.

    \b
    trimtab logs collector
    trimtab logs server-1a2b3c4d -f
    """
    from trimtab.adapters.processes.logs import tail

    path = _plane(None).log_file(name)
    typer.echo(tail(path, lines))
    if follow:
        _follow(path)


def clean(
    table: Annotated[
        str | None, typer.Option("--table", help="Remove this one table; the next run makes it anew.")
    ] = None,
) -> None:
    """`down`, and forget the gateway's routes, the ports and the logs. Data, models and runs stay.

    \b
    trimtab clean
    trimtab clean --table flights
    """
    plane = _plane(None)
    if table is not None:
        from trimtab.adapters.projects.clean import remove_table

        remove_table(plane.home, table)
        typer.echo(f"table '{table}' is gone; trimtab run makes it anew")
        return
    plane.clean()
    typer.echo("the plane's files are gone; data, models and runs are as they were")


def _plane(platform: str | None) -> "Plane":
    from trimtab.bootstrap.local import open_project, platform_of
    from trimtab.local.plane import Plane

    loaded, home = open_project(Path.cwd(), platform)
    project = loaded.project
    return Plane(
        home.path,
        project.name,
        online=platform_of(loaded).online,
        reject_unknown_keys=project.online.missing == "reject",
    )


def _print_runs(plane: "Plane") -> None:
    from rich.console import Console
    from rich.text import Text

    from trimtab.local.runs import recorded

    console = Console(highlight=False)
    shown = console.is_terminal
    for record in recorded(plane.home)[:RUNS_SHOWN]:
        line = Text.assemble((f"run {record.id}", "dim"), "  ", record.outcome())
        console.print(line, no_wrap=True, overflow="ellipsis" if shown else "ignore", crop=shown)


def _print_conditions(plane: "Plane") -> None:
    """What keeps the monitor from judging."""
    from rich.console import Console
    from rich.text import Text

    from trimtab.adapters.state import SqliteState
    from trimtab.local.monitored import conditions

    if not plane.home.state.exists():
        return
    for because in conditions(SqliteState(plane.home.state), plane.host).values():
        Console().print(Text.assemble(("monitor  ", "yellow"), because))


def _print(plane: "Plane", children: list["ChildStatus"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("what", "revision", "state", "since"):
        table.add_column(heading)
    for heading in ("port", "pid", "restarts", "MB"):
        table.add_column(heading, justify="right")
    for child in children:
        colour = "green" if child.state.value == "ready" else "yellow"
        table.add_row(
            child.name,
            child.labels.get("revision", ""),
            f"[{colour}]{child.state.value}[/{colour}]",
            age(child.since_s),
            str(child.port or ""),
            str(child.pid or ""),
            str(child.restarts),
            "" if child.memory_mb is None else f"{child.memory_mb:.0f}",
        )
    console.print(table)
    for child in children:
        if child.message:
            console.print(Text.assemble((child.name, "bold"), " ", child.message))
    split = plane.gateway.split(plane.host)
    if split is None:
        console.print(f"no revision serves {plane.host} yet: trimtab run", highlight=False)
        return
    shares = ", ".join(f"{revision} {weight} %" for revision, weight in split.weights.items())
    copies = f"; copies of {split.mirror_percent} % go to {split.mirror}" if split.mirror else ""
    console.print(f"{plane.url}  {shares}{copies}", highlight=False)


def age(seconds: float) -> str:
    """A duration by its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    if minutes:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{int(seconds)} s"


def _follow(path: Path) -> None:
    import time

    with path.open(errors="replace") as file:
        file.seek(0, 2)
        while True:
            if text := file.read():
                typer.echo(text, nl=False)
            elif path.stat().st_size < file.tell():
                file.seek(0)
            time.sleep(FOLLOW_S)
