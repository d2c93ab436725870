"""Verbs on a project's files: init, check, schema."""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.api.errors import ExitStatus, InputRefused


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("check")(check)


def init(
    name: Annotated[str | None, typer.Argument(help="Folder and name of the new project.")] = None,
    table: Annotated[
        Path | None,
        typer.Option("--from", help="A table: csv (also in gz or zip), parquet or jsonl."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a prediction is made.")] = None,
    expectations: Annotated[
        bool,
        typer.Option("--expectations", help="In a project: write a first expectations.yaml from its data."),
    ] = False,
) -> None:
    """Write a project that runs: from your table, or from a small made-up one.

    \b
    trimtab init churn --from churn.csv --label churned --time signed_up
    trimtab init tryout
    trimtab init --expectations
    """
    from rich.console import Console

    console = Console()
    if expectations:
        from trimtab.bootstrap.local import write_expectations

        console.print(f"wrote {write_expectations(Path.cwd())}")
        return
    if name is None:
        raise InputRefused("init needs a name", remedy="trimtab init NAME [--from FILE --label COLUMN]")
    from trimtab.local import scaffold

    folder, plain = Path(name), _plain(Path(name).name)
    if table is None:
        if label or time:
            raise InputRefused("--label and --time are columns of a table", remedy="give it: --from FILE")
        guesses = scaffold.made_up(folder, plain)
    elif label is None:
        raise InputRefused("--from needs --label", remedy="name the column to predict: --label COLUMN")
    else:
        guesses = scaffold.from_table(folder, plain, table, label, time)
    console.print(f"[bold]{folder}/trimtab.yaml[/bold]  a {guesses.task} project")
    for note in guesses.notes:
        console.print(f"  guessed  {note}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"next: cd {folder} && trimtab check && trimtab run && trimtab up", highlight=False)


def _plain(text: str) -> str:
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).strip("-")[:40].strip("-")
    if not name or not name[0].isalpha():
        raise InputRefused(f"'{text}' is no project name", remedy="begin with a letter: churn, flights-2013")
    return name


def check(
    platform: Annotated[str | None, typer.Option(help="A name in platform.yaml.")] = None,
) -> int:
    """Say everything that is wrong with the project here, and how to mend it.

    \b
    trimtab check
    trimtab check --platform cluster
    """
    from rich.console import Console

    from trimtab.local.check import check_project

    findings = check_project(Path.cwd(), platform)
    console = Console(stderr=bool(findings.problems))
    for problem in findings.problems:
        console.print(str(problem), style="red", highlight=False, markup=False, soft_wrap=True)
    for note in findings.notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
    if findings.problems:
        console.print(f"{len(findings.problems)} to mend", style="bold red")
        return ExitStatus.INPUT
    console.print(f"{findings.name}: in order", style="green")
    return ExitStatus.DONE
