"""`trimtab predict`: ask the endpoint that `up` serves."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.api.errors import InputRefused, SurroundingsFailed

if TYPE_CHECKING:
    from trimtab.local.plane import Plane

ROWS_A_REQUEST = 500
TIMEOUT_S = 60.0


def register(app: typer.Typer) -> None:
    app.command("predict")(predict)


def predict(
    rows: Annotated[
        str | None,
        typer.Argument(help="A table (csv, parquet, jsonl), a .json file, or - for JSON on stdin."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer as JSON, one value a row.")
    ] = False,
) -> None:
    """Ask the model that `trimtab up` serves. Without rows: one that it knows.

    \b
    trimtab predict
    trimtab predict customers.csv
    echo '{"plan": "free", "visits": 3, …}' | trimtab predict - --json

    Columns that the model does not take are left out; an empty field is a missing value.
    """
    from trimtab.local.endpoint import Endpoint

    endpoint = Endpoint.of(_plane())
    asked = endpoint.samples()[:1] if rows is None else endpoint.rows(_read(rows), rows)
    answers: list[Any] = []
    for start in range(0, len(asked), ROWS_A_REQUEST):
        answers += endpoint.predict(asked[start : start + ROWS_A_REQUEST], TIMEOUT_S)
    if as_json:
        typer.echo(json.dumps(answers))
        return
    for number, (row, answer) in enumerate(zip(asked, answers, strict=True)):
        typer.echo(f"{endpoint.key(row) or number}\t{_shown(answer, endpoint.classes)}")


def _shown(answer: Any, classes: tuple[str, ...]) -> str:
    if not isinstance(answer, list):
        return f"{answer:.6g}"
    best = max(range(len(answer)), key=answer.__getitem__)
    return f"{classes[best]}\t{answer[best]:.6g}"


def _read(name: str) -> list[dict[str, Any]]:
    if name == "-" or name.endswith(".json"):
        try:
            body = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputRefused(f"there is no file {name}", remedy="check the path") from None
        except ValueError as error:
            raise InputRefused(
                f"{name}: no JSON: {error}", remedy="give an object, or a list of them"
            ) from None
        given = body.get("instances", [body]) if isinstance(body, dict) else body
        if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
            raise InputRefused(
                f"{name}: holds no rows", remedy='give {"column": value, …}, or a list of them'
            )
        return given
    from trimtab.local.scaffold.read import read_any

    found: list[dict[str, Any]] = read_any(Path(name)).to_pylist()
    return found


def _plane() -> "Plane":
    from trimtab.bootstrap.local import open_project
    from trimtab.local.plane import Plane

    loaded, home = open_project(Path.cwd())
    plane = Plane(home.path, loaded.project.name)
    if plane.gateway.split(plane.host) is None:
        raise SurroundingsFailed(f"no revision of {plane.host} is in service yet",
                                 remedy="trimtab run, or see trimtab logs loop")  # fmt: skip
    return plane
