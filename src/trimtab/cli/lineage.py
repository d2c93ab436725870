"""`trimtab lineage`: from a model version or a prediction down to the source versions and the rows."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from trimtab.local.lineage.node import Node

MOST_FACTS: Final = 8
WIDE: Final = 2_000
"""Characters of a line off a terminal: none is cut."""
COLOURS: Final = {
    "model": "green",
    "prediction": "green",
    "answer": "green",
    "source": "cyan",
    "row": "yellow",
}
BESIDE: Final = {"values", "features", "files", "switches"}
"""Facts that are lists or mappings: shown below their node, the first few of each."""


def register(app: typer.Typer) -> None:
    app.command("lineage")(lineage)


def lineage(
    target: Annotated[
        str,
        typer.Argument(metavar="MODEL|PREDICTION", help="NAME/VERSION, NAME@ALIAS, or a prediction's id."),
    ],
    platform: Annotated[
        str | None,
        typer.Option(
            help="A name in platform.yaml: where the tables lie, and which MLflow server registers."
        ),
    ] = None,
    collector: Annotated[
        Path | None,
        typer.Option(help="A folder with the log of a collector, such as a copy of a cluster's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Where a model or a prediction comes from, as a tree.

    \b
    trimtab lineage flights/3
    trimtab lineage flights@candidate --json
    trimtab lineage UA-1545-EWR-201301011015
    trimtab lineage flights/3 --platform cluster

    A model leads to its run (project files, code, libraries, hardware, switches), to its features table and on to the
    versions of tables and sources. A prediction's id is its key, or the first characters of it; it leads to each
    revision that answered it, to its row and those that VIEWS had for it, each with the version of its table, and to
    the model.
    """
    from trimtab.bootstrap.local import open_project
    from trimtab.local.extras import need
    from trimtab.local.lineage.walk import lineage as walk

    loaded, home = open_project(Path.cwd(), platform)
    need("trimtab lineage", "train")
    found = walk(target, loaded, home, collector)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1, default=str))
        return
    from rich.console import Console

    Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(tree(found))


def tree(node: "Node") -> "Tree":
    """The tree for a terminal; a table that stands there already is named alone."""
    from rich.tree import Tree

    shown: set[str] = set()
    root = Tree(_line(node))
    _grow(root, node, shown)
    return root


def _grow(branch: "Tree", node: "Node", shown: set[str]) -> None:
    from rich.text import Text

    for name, value in node.facts.items():
        if name in BESIDE and value:
            branch.add(Text(f"{name}: {_few(value)}", "dim"))
    for below in node.made_of:
        if below.name in shown and below.made_of:
            branch.add(Text.assemble(_line(below), ("  (as above)", "dim")))
            continue
        shown.add(below.name)
        _grow(branch.add(_line(below)), below, shown)


def _line(node: "Node") -> Any:
    from rich.text import Text

    said = [f"{name} {_short(value)}" for name, value in node.facts.items()
            if name not in BESIDE and value not in ("", None, [], {})]  # fmt: skip
    kind = (f"{node.kind} ", "dim")
    return Text.assemble(
        kind, (node.name, COLOURS.get(node.kind, "bold")), ("  " + "  ".join(said)) if said else ""
    )


def _few(value: Any) -> str:
    pairs = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    texts = [f"{name} {_short(one)}" if name is not None else str(one) for name, one in pairs]
    more = f", … {len(texts) - MOST_FACTS} more" if len(texts) > MOST_FACTS else ""
    return ", ".join(texts[:MOST_FACTS]) + more


def _short(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text[:12] if len(text) == 64 and text.isalnum() else text
