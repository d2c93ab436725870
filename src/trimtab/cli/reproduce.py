"""`trimtab reproduce`: a run made again from what it recorded: identical to the bit, or what differs first."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.api.errors import ExitStatus

if TYPE_CHECKING:
    from trimtab.local.reproduce.reproduce import Reproduction

SHOWN = 5


def register(app: typer.Typer) -> None:
    app.command("reproduce")(reproduce)


def reproduce(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's id or folder, `latest`, an MLflow run's id, NAME/VERSION or NAME@ALIAS.",
        ),
    ],
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Leave what was rebuilt in this folder, with its log.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            help="A name in platform.yaml: where the tables lie, and which MLflow server registers."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> int:
    """Make a run again from what it recorded, and say whether it comes out the same to the bit.

    \b
    trimtab reproduce latest
    trimtab reproduce flights/3
    trimtab reproduce flights@stable --json
    trimtab reproduce 20130701-000000-123 --keep again
    trimtab reproduce flights/3 --platform cluster

    The same bundle over the same table versions, with the same until, window, seed and threads, in a scratch folder:
    tables, registry and what is in service stay as they are. Files of the project and of its sources may have changed
    since: they are not read. What a search chose is fitted again without the search, and workers learn on this machine.

    \b
    What is compared, causes first; the first that differs is named:
      bundle → data versions → libraries → hardware → determinism switches
        → search → tables → features → trained model → fitted model → exported files → predictions

    Exit status: 0 identical, 1 it differs, 2 no such run, 4 its bundle or a data version is gone, or a server is away.
    """
    from trimtab.bootstrap.local import open_project
    from trimtab.local.extras import RUN, need
    from trimtab.local.reproduce.reproduce import reproduce as again

    loaded, home = open_project(Path.cwd(), platform)
    need("trimtab reproduce", *RUN)
    from rich.console import Console

    told = Console(stderr=True, highlight=False)
    with told.status("") as status:
        made = again(run, loaded, home, lambda what: status.update(what), keep)
    if as_json:
        typer.echo(json.dumps(document(made), indent=1))
    else:
        say(made)
    return ExitStatus.DONE if made.identical else ExitStatus.NO


def document(made: "Reproduction") -> dict[str, Any]:
    """The answer for machines."""
    return {
        "run": made.run,
        "identical": made.identical,
        "first": asdict(made.first) if made.first else None,
        "differences": [asdict(one) for one in made.differences],
        "recorded": made.recorded.results.model_dump(mode="json", by_alias=True),
        "rebuilt": made.rebuilt.results.model_dump(mode="json", by_alias=True) if made.rebuilt else None,
        "seconds": round(made.seconds, 1),
    }


def say(made: "Reproduction") -> None:
    """The answer for a person."""
    recorded = made.recorded
    if made.identical:
        typer.secho("identical", fg="green", nl=False)
        typer.echo(
            f": {len(recorded.data)} table versions, the model ({recorded.results.exported[:12]}) and its predictions "
            f"({recorded.results.predictions[:12]}), to the bit"
        )
        for one in made.differences[:SHOWN]:
            typer.echo(f"  to no effect: {one}")
    else:
        typer.secho("differs", fg="red", nl=False)
        typer.echo(f" in {made.first}")
        if made.effect is not None and made.effect != made.first:
            typer.echo(f"  first seen in {made.effect}")
        for one in [one for one in made.differences[1:] if one != made.effect][:SHOWN]:
            typer.echo(f"  also {one}")
        if made.rebuilt is None:
            typer.echo("  nothing was rebuilt: what the run started from is not what it was")
    if len(made.differences) > SHOWN + 1:
        typer.echo(f"  {len(made.differences)} differences in all: --json shows each")
    typer.echo(f"{made.seconds:.1f} s")
