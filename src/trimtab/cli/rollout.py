"""Verbs on a rollout: what it does and why, and a person's orders to it."""

import getpass
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trimtab.api.errors import ExitStatus, InputRefused

if TYPE_CHECKING:
    from trimtab.adapters.state import SqliteState
    from trimtab.api.rollout_status import CheckStatus, RevisionRef, RolloutStatus

KIND: Final = "ModelRollout"
COLOURS: Final = {"Pass": "green", "Fail": "bold red", "Inconclusive": "yellow"}


def register(app: typer.Typer) -> None:
    rollout = typer.Typer(
        help="See a rollout, and order it about. Orders are obeyed by the running loop, once.\n\n"
        "\b\ntrimtab rollout status\ntrimtab rollout abort\ntrimtab rollout approve",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for verb in (status, abort, approve, promote, undo, retry, suspend, resume):
        rollout.command(verb.__name__)(verb)
    app.add_typer(rollout, name="rollout")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, as stored.")] = False,
) -> int:
    """Where the rollout stands, and on which evidence. Exit status 1 if it needs a person."""
    from trimtab.local.monitored import conditions

    name, state = _open()
    found = _status(name, state)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json", by_alias=True), indent=1))
    else:
        _print(name, found, state.suspended(name))
        _print_conditions(conditions(state, name))
    return ExitStatus.NO if found.stalled else ExitStatus.DONE


def abort() -> None:
    """Take all traffic off the candidate, now, and keep it out."""
    name, state = _open()
    candidate = _in_flight(_status(name, state), "abort")
    _order(name, state, "abort", candidate)


def approve() -> None:
    """Let the candidate go past the approval at which it stands."""
    name, state = _open()
    found = _status(name, state)
    candidate = _in_flight(found, "approve")
    if found.step is None or found.phase.value != "AwaitingApproval":
        raise InputRefused(
            f"nothing waits for approval: the rollout is in phase {found.phase.value}",
            remedy="see `trimtab rollout status`",
        )
    _order(name, state, "approve", candidate, found.step.name)


def promote() -> None:
    """Make the candidate stable without the rest of its steps; what is broken or fails is still rolled back."""
    name, state = _open()
    _order(name, state, "promote", _in_flight(_status(name, state), "promote"))


def undo() -> None:
    """Give all traffic back to the revision before the stable one, and keep the undone one out."""
    name, state = _open()
    found = _status(name, state)
    if found.stable is None or found.previous is None:
        raise InputRefused(
            "there is no previous revision to go back to",
            remedy="`keepPrevious` in trimtab.yaml says how long one is kept; register the old version anew",
        )
    _order(name, state, "undo", found.stable)


def retry(
    revision: Annotated[str, typer.Argument(help="A rejected revision, 8 hex; default the latest.")] = "",
) -> None:
    """Let a rejected revision in again, if it is still the newest candidate; its old evidence is discarded."""
    name, state = _open()
    rejected = _status(name, state).rejected
    known = [entry.revision for entry in rejected]
    if not known or (revision and revision not in known):
        raise InputRefused(
            f"revision '{revision}' was not rejected" if revision else "no revision was rejected",
            remedy=f"rejected are: {', '.join(known)}" if known else None,
        )
    _order(name, state, "retry", revision or known[-1])


def suspend() -> None:
    """Stop progress: no step begins or ends. What protects users goes on."""
    name, state = _open()
    state.suspend(name, True)
    typer.echo(f"{name}: progress is suspended; go on with `trimtab rollout resume`")


def resume() -> None:
    """Let a suspended rollout go on."""
    name, state = _open()
    state.suspend(name, False)
    typer.echo(f"{name}: the rollout goes on")


def _open() -> "tuple[str, SqliteState]":
    from trimtab.adapters.state import SqliteState
    from trimtab.bootstrap.local import open_project

    loaded, home = open_project(Path.cwd())
    if not home.state.exists():
        raise InputRefused(
            f"no loop has run in {home.path.parent} yet",
            remedy="start it with `trimtab up`, or see `trimtab demo`",
        )
    return loaded.project.name, SqliteState(home.state)


def _status(name: str, state: "SqliteState") -> "RolloutStatus":
    from trimtab.api.rollout_status import RolloutStatus

    document = state.read(KIND, name)
    return RolloutStatus() if document is None else RolloutStatus.model_validate(document.body)


def _in_flight(found: "RolloutStatus", verb: str) -> "RevisionRef":
    if found.candidate is None:
        raise InputRefused(f"there is no candidate to {verb}", remedy="see `trimtab rollout status`")
    return found.candidate


def _order(name: str, state: "SqliteState", verb: str, about: "RevisionRef | str", step: str = "") -> None:
    from trimtab.adapters.clock import WallClock
    from trimtab.ports.state import Act

    revision = about if isinstance(about, str) else about.revision
    by = getpass.getuser()
    state.order(name, Act(uuid.uuid4().hex[:12], verb, revision, step, by, WallClock().now()))
    typer.echo(
        f"{name}: {by} ordered {verb} of {revision}{f' at {step}' if step else ''}; the loop obeys at its next look"
    )


def _print(name: str, found: "RolloutStatus", suspended: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(
        f"[bold]{name}[/bold]  {found.phase.value}{'  [yellow]suspended[/yellow]' if suspended else ''}"
    )
    if found.stalled:
        console.print(Text.assemble(("needs a person: ", "bold yellow"), found.stalled))
    roles = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "revision", "version", "traffic"):
        roles.add_column(heading)
    for role, ref in (("stable", found.stable), ("candidate", found.candidate), ("previous", found.previous)):
        if ref is not None:
            share = f"{found.traffic.get(ref.revision, 0)} %" + (
                " mirrored" if found.mirror == ref.revision else ""
            )
            roles.add_row(role, ref.revision, ref.version, share)
    console.print(roles)
    if found.step is not None:
        console.print(f"step {found.step.name}, {found.step.elapsed_s / 86_400:.1f} days", highlight=False)
    if found.checks:
        console.print(_checks(found.checks))
    for entry in found.rejected[-3:]:
        console.print(
            Text.assemble(
                ("rejected ", "red"), f"{entry.revision} on {entry.at:%Y-%m-%d %H:%M}: {entry.because}"
            )
        )


def _print_conditions(held: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.text import Text

    for because in held.values():
        Console().print(Text.assemble(("monitor: ", "yellow"), because))


def _checks(checks: "tuple[CheckStatus, ...]") -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("check", "at", "verdict"):
        table.add_column(heading)
    for heading in ("estimate", "lower", "upper", "margin", "units"):
        table.add_column(heading, justify="right")
    table.add_column("because")
    for check in checks:
        table.add_row(
            check.name,
            check.step,
            Text(check.verdict, COLOURS[check.verdict]),
            *(
                "" if n is None else f"{n:.3g}"
                for n in (check.estimate, check.lower, check.upper, check.margin)
            ),
            str(check.units),
            check.reason,
        )
    return table
