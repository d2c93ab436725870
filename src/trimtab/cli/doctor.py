"""`trimtab doctor`: what is here, and the line that gets what is missing."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from trimtab.api.errors import ExitStatus


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> int:
    """What is installed, what is missing and how to get it, free disk, ports. It imports nothing heavy.

    \b
    trimtab doctor
    trimtab doctor --json

    Exit status 4: Python, the disk or the ports would stop everything. A missing extra is no fault.
    """
    from trimtab.local.doctor import examine, versions

    findings, held = examine(Path.cwd()), versions()
    if as_json:
        typer.echo(json.dumps({"versions": held, "findings": [asdict(one) for one in findings]}, indent=1))
    else:
        typer.echo("  ".join(f"{name} {number}" for name, number in held.items()))
        for one in findings:
            mark = typer.style("ok  ", fg="green") if one.well else typer.style("--  ", fg="yellow")
            remedy = "" if one.well else f"    {one.remedy}"
            typer.echo(f"{mark}{one.what:<16} {one.said}{remedy}")
    stopped = any(one.needed and not one.well for one in findings)
    return ExitStatus.SURROUNDINGS if stopped else ExitStatus.DONE
