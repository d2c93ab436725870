"""`trimtab demo`: the loop over a year of flights, with its report."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    span: Annotated[
        str, typer.Option(help="year: April to December; short: April to mid-June, and December.")
    ] = "year",
    folder: Annotated[
        Path, typer.Option(help="Where everything goes; what an earlier demo left is removed.")
    ] = Path(".trimtab/demo"),
) -> None:
    """Live 2013's flights from New York: train, serve, drift, retrain, shadow, canary, promote, refuse.

    \b
    trimtab demo
    trimtab demo --span short

    It ends with FOLDER/result.json and FOLDER/report.html.
    """
    from trimtab.api.errors import InputRefused
    from trimtab.local.demo.result import write
    from trimtab.local.demo.run import SPANS, live
    from trimtab.local.demo.terminal import Terminal

    if span not in SPANS:
        raise InputRefused(f"--span {span}: no such span", remedy=f"one of {', '.join(SPANS)}")
    folder = folder.absolute()
    if not folder.exists():
        try:
            folder.mkdir(parents=True)
            folder.rmdir()
        except OSError as error:
            raise InputRefused(
                f"{folder} cannot be made: {error.strerror}", remedy="name another folder with --folder"
            ) from error
    with Terminal() as shown:
        live(folder, span, shown, lambda lived: write(lived, folder))
    shown.end(folder)
