"""`trimtab drift` and `trimtab profile`: two tables, one question; and what a monitor remembers of the first."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trimtab.api.errors import ExitStatus, InputRefused

if TYPE_CHECKING:
    from trimtab.drift import ColumnVerdict, Report, Settings

STYLES: Final = {"drifted": "bold red", "stable": "green", "seasonal": "magenta", "unknown": "yellow"}
TITLES: Final = {"stable": "stable", "drifted": "drifted", "unknown": "too little to say"}


class FailOn(StrEnum):
    """What makes the exit status 1."""

    SHARE = "share"
    ANY = "any"
    NEVER = "never"


def register(app: typer.Typer) -> None:
    app.command("drift")(drift)
    app.command("profile")(profile)


def drift(
    reference: Annotated[Path, typer.Argument(help="The table to compare with, or a profile (.json).")],
    current: Annotated[Path, typer.Argument(help="The table of now: parquet, csv, arrow, jsonl, Delta.")],
    time: Annotated[
        str | None, typer.Option(help="The column of event times; without it no p-values.")
    ] = None,
    window: Annotated[str | None, typer.Option(help="Length of the windows: 6h, 1d, 7d.")] = None,
    number: Annotated[str, typer.Option(help="The measure of numeric columns.")] = "ks",
    category: Annotated[str, typer.Option(help="The measure of categorical columns.")] = "jensen_shannon",
    ignore: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; a glob; repeatable.")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="A column's own threshold, as column=0.2; repeatable.")
    ] = None,
    min_rows: Annotated[int, typer.Option(help="Fewer rows are too little to say.", min=1)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with the distributions here.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit 1 when a fifth of the columns drifted, when any did, or never.")
    ] = FailOn.SHARE,
) -> int:
    """Has the current table moved away from the reference?

    \b
    trimtab drift reference.parquet current.parquet --html report.html
    trimtab drift 2025.csv.gz 2026.csv.gz --time sold_at --ignore '*_id' --json

    Exit status: 0 stable, 1 drifted, 3 too little to say.
    """
    from trimtab.adapters import frames
    from trimtab.drift import compare

    settings = _settings(number, category, ignore or [], threshold or [], min_rows)
    before = _profile(reference) if reference.suffix == ".json" else frames.read(reference)
    report = compare(before, frames.read(current), settings=settings, time=time, window_s=_seconds(window))
    if html is not None:
        _write(html, report.to_html().encode())
    if as_json:
        typer.echo(report.to_json())
    else:
        show(report)
        if html is not None:
            typer.echo(f"report: {html}")
    return status(report, fail_on)


def profile(
    reference: Annotated[Path, typer.Argument(help="The rows that the model learned from.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the profile goes.")] = Path("profile.json"),
    time: Annotated[str | None, typer.Option(help="The column of event times.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column to leave out; repeatable.")] = None,
    min_rows: Annotated[int, typer.Option(help="Rows that a window must hold.", min=1)] = 1_000,
) -> None:
    """Learn from a table what later rows are compared with.

    \b
    trimtab profile reference.parquet --time sold_at -o profile.json
    trimtab drift profile.json current.parquet
    """
    from trimtab.adapters import frames
    from trimtab.drift import as_table, learn_profile, time_column

    table = as_table(frames.read(reference), "reference")
    left_out = {time, *(ignore or [])}
    columns = {name: column for name, column in table.columns.items() if name not in left_out}
    times = None if time is None else time_column(table, time, "reference")
    learned = learn_profile(columns, times, min_rows=min_rows, time=time)
    _write(out, learned.to_bytes())
    typer.echo(f"{out}: {learned.rows:,} rows, {len(learned.columns)} columns")


def show(report: "Report") -> None:
    """The ranking as a table on the terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from trimtab.drift.figures import chance, number, percent

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("column", "", "measure"):
        table.add_column(name, no_wrap=True)
    for name in ("value", "threshold", "p", "missing"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.verdict.columns:
        state = _state(one)
        table.add_row(
            escape(one.column),
            f"[{STYLES[state]}]{state}[/]",
            one.measure,
            number(one.value),
            number(one.threshold),
            chance(one.p_value),
            percent(one.missing),
        )
    console.print(table)
    for one in report.verdict.columns:
        if (one.drifted or one.drifted is None) and (said := _note(one)):
            console.print(f"{one.column}: {said}", style="dim", highlight=False, markup=False)
    for name, why in report.notes.items():
        console.print(f"not compared: {name} ({why})", style="dim", highlight=False, markup=False)
    answer = report.answer
    console.print(f"[{STYLES[answer]}]{TITLES[answer]}[/]: {escape(report.because)}", highlight=False)


def status(report: "Report", fail_on: FailOn) -> ExitStatus:
    """The exit status of a comparison."""
    if fail_on is FailOn.NEVER:
        return ExitStatus.DONE
    if report.drifted or (fail_on is FailOn.ANY and report.drifted_columns):
        return ExitStatus.NO
    return ExitStatus.INCONCLUSIVE if report.answer == "unknown" else ExitStatus.DONE


def _note(one: "ColumnVerdict") -> str:
    new = f"new categories: {', '.join(one.new[:5])}" if one.new else ""
    return "; ".join(part for part in (one.note, one.seasonal, new) if part)


def _state(one: "ColumnVerdict") -> str:
    if one.drifted is None:
        return "unknown"
    if one.seasonal:
        return "seasonal"
    return "drifted" if one.drifted else "stable"


def _settings(
    number: str, category: str, ignore: list[str], thresholds: list[str], min_rows: int
) -> "Settings":
    from trimtab.drift import Override, Settings

    overrides = [Override(match=name, ignore=True) for name in ignore]
    for stated in thresholds:
        column, _, bound = stated.rpartition("=")
        try:
            overrides.append(Override(match=column, threshold=float(bound)))
        except ValueError:
            column = ""
        if not column:
            raise InputRefused(
                f"--threshold {stated}: not of the form column=0.2", remedy="--threshold price=0.2"
            )
    return Settings(number=number, category=category, overrides=tuple(overrides), min_rows=min_rows)


def _seconds(window: str | None) -> int | None:
    if window is None:
        return None
    from trimtab.api.values import parse_duration

    try:
        length = int(parse_duration(window).total_seconds())
    except ValueError as fault:
        raise InputRefused(f"--window: {fault}", remedy="such as 6h, 1d or 7d") from None
    if length < 3_600:
        raise InputRefused(f"--window {window}: shorter than an hour", remedy="such as 6h, 1d or 7d")
    return length


def _profile(path: Path) -> Any:
    from trimtab.adapters.frames import FileMissing
    from trimtab.drift import Profile

    if not path.is_file():
        raise FileMissing(path)
    return Profile.from_bytes(path.read_bytes())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as fault:
        raise InputRefused(
            f"{path} cannot be written: {fault.strerror}", remedy="name another file"
        ) from None
