"""The command's frame: its verbs, and what becomes of an error."""

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from typer.exceptions import TyperException

from trimtab.api.errors import ExitStatus, SurroundingsFailed, TrimtabError
from trimtab.cli.extras import missing

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

HELP = """Closes the loop: data, training, serving, drift, retraining, shadow, canary, promotion.

\b
A first project from any table:
  trimtab init churn --from churn.csv --label churned
  cd churn && trimtab check && trimtab run && trimtab up
\b
Two tables, one question:
  trimtab drift reference.parquet current.parquet
\b
The whole loop over a year of real flights:
  trimtab demo

Exit status: 0 done, 1 the answer is no, 2 your input, 3 inconclusive, 4 the surroundings failed,
70 our bug, 130 interrupted."""


def build() -> typer.Typer:
    """The command with all its verbs."""
    from trimtab.cli import (
        demo,
        doctor,
        drift,
        lineage,
        pipeline,
        plane,
        predict,
        project,
        register,
        reproduce,
        rollout,
        run,
    )

    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(top)
    for module in (
        project,
        run,
        reproduce,
        lineage,
        plane,
        predict,
        rollout,
        drift,
        register,
        pipeline,
        doctor,
        demo,
    ):
        module.register(app)
    return app


def top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=lambda v: _version(v)
        ),
    ] = False,
) -> None:
    """Options of the whole command."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trimtab {version('trimtab')}")
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its status; a user's mistake never shows a traceback."""
    sys.exit(int(invoke(arguments)))


def invoke(
    arguments: list[str] | None = None,
    make: Callable[[], typer.Typer] | None = None,
    name: str = "trimtab",
) -> int:
    """Run the command, or the one that `make` makes; returns its exit status."""
    try:
        command: Any = typer.main.get_command((make or build)())
        status = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except TyperException as error:
        error.show()  # type: ignore[attr-defined]  # the usage errors have it, their base does not
        return ExitStatus.INPUT
    except TrimtabError as error:
        say(error)
        return error.status
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return ExitStatus.INTERRUPTED
    except ModuleNotFoundError as error:
        if (extra := missing(error)) is None:
            return bug(error)
        say(extra)
        return extra.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.DONE
    except OSError as error:
        if error.errno not in FULL:
            return bug(error)
        say(SurroundingsFailed(f"{error.strerror}: {error.filename or 'the disk'}", remedy="free some disk"))
        return ExitStatus.SURROUNDINGS
    except Exception as error:  # noqa: BLE001  the outermost frame: anything left is our bug
        return bug(error)
    return status if isinstance(status, int) else ExitStatus.DONE


def say(error: TrimtabError) -> None:
    """What is wrong, where, and the remedy, on standard error."""
    print(f"trimtab: {error.message}", file=sys.stderr)  # noqa: T201
    if error.remedy:
        print(f"  remedy: {error.remedy}", file=sys.stderr)  # noqa: T201


def bug(error: Exception) -> int:
    """Keep the traceback in a file and name it."""
    descriptor, path = tempfile.mkstemp(prefix="trimtab-bug-", suffix=".txt")
    with os.fdopen(descriptor, "w") as file:
        traceback.print_exception(error, file=file)
    print(f"trimtab: a bug of ours: {type(error).__name__}: {error}\n  traceback: {path}", file=sys.stderr)  # noqa: T201
    return ExitStatus.BUG
