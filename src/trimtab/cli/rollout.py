"""Verbs on a rollout: what it does and why, and a person's orders to it."""

import getpass
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trimtab.api.errors import ExitStatus, InputRefused

if TYPE_CHECKING:
    from trimtab.adapters.state import SqliteState
    from trimtab.api.rollout_status import RolloutStatus
    from trimtab.cli.orders import Order

KIND: Final = "ModelRollout"


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
    from rich.console import Console

    from trimtab.cli.shown import shown
    from trimtab.local.monitored import conditions

    name, state = _open()
    found = _status(name, state)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json", by_alias=True), indent=1))
    else:
        hindrances = conditions(state, name).values()
        Console(highlight=False).print(shown(name, found, state.suspended(name), hindrances))
    return ExitStatus.NO if found.stalled else ExitStatus.DONE


def abort() -> None:
    """Take all traffic off the candidate, now, and keep it out."""
    from trimtab.cli import orders

    name, state = _open()
    _order(name, state, orders.abort(_status(name, state)))


def approve() -> None:
    """Let the candidate go past the approval at which it stands."""
    from trimtab.cli import orders

    name, state = _open()
    _order(name, state, orders.approve(_status(name, state)))


def promote() -> None:
    """Make the candidate stable without the rest of its steps; what is broken or fails is still rolled back."""
    from trimtab.cli import orders

    name, state = _open()
    _order(name, state, orders.promote(_status(name, state)))


def undo() -> None:
    """Give all traffic back to the revision before the stable one, and keep the undone one out."""
    from trimtab.cli import orders

    name, state = _open()
    _order(name, state, orders.undo(_status(name, state)))


def retry(
    revision: Annotated[str, typer.Argument(help="A rejected revision, 8 hex; default the latest.")] = "",
) -> None:
    """Let a rejected revision in again, if it is still the newest candidate; its old evidence is discarded."""
    from trimtab.cli import orders

    name, state = _open()
    _order(name, state, orders.retry(_status(name, state), revision))


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


def _order(name: str, state: "SqliteState", order: "Order") -> None:
    from trimtab.adapters.clock import WallClock
    from trimtab.ports.state import Act

    by = getpass.getuser()
    state.order(
        name, Act(uuid.uuid4().hex[:12], order.verb, order.revision, order.step, by, WallClock().now())
    )
    typer.echo(f"{name}: {by} ordered {order}; the loop obeys at its next look")
