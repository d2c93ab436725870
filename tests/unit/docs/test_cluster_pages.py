"""What the pages of the cluster say is so; their commands are run by tests/cluster/control_plane/docs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from documentation_pages import PAGES, ROOT, blocks, commands, name

KUBERNETES = ROOT / "docs" / "kubernetes.md"
DAY_TWO = ROOT / "docs" / "day-two.md"
SPOKEN = (
    "operators/drift/handlers",
    "src/trimtab/adapters",
    "src/trimtab/control",
    "src/trimtab/retrain",
    "src/trimtab/rollout",
)
"""Where conditions get their reasons."""


def literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*literals(node.body), *literals(node.orelse))


def constants(tree: ast.Module) -> dict[str, str]:
    """Texts that a module gives a name."""
    return {
        node.target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def spoken() -> Iterator[tuple[str, str, Path]]:
    """(type, reason, where) of each condition that is written out in the code."""
    for folder in SPOKEN:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            names = constants(tree)
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in ("Condition", "condition", "Fact")
                    and len(node.args) >= 3
                    and isinstance(node.args[0], ast.Constant | ast.Name)
                ):
                    first = node.args[0]
                    kind = first.value if isinstance(first, ast.Constant) else names.get(first.id, "")
                    if kind:
                        yield from ((kind, reason, path) for reason in literals(node.args[2]))


def table() -> set[tuple[str, str]]:
    """(type, reason) of each row."""
    rows, kind = set(), ""
    for line in DAY_TWO.read_text().partition("\n## Conditions\n")[2].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and "`" in cells[1]:
            kind = cells[0].split(" ")[0] or kind
            rows |= {(kind, reason) for reason in re.findall(r"`(\w+)`", cells[1])}
    return rows


def test_every_condition_that_the_operator_can_write_has_a_row():
    said = {(kind, reason) for kind, reason, _ in spoken()}
    assert len(said) > 30
    assert said - table() == set()


def test_every_reason_of_the_table_is_said_somewhere():
    from trimtab.api.rollout_status import Phase

    code = "\n".join(
        path.read_text() for folder in ("src", "operators") for path in (ROOT / folder).rglob("*.py")
    )
    known = {phase.value for phase in Phase}
    unsaid = {reason for _, reason in table() if reason not in known and f'"{reason}"' not in code}
    assert unsaid == set()


@pytest.mark.parametrize("number", range(len(blocks(KUBERNETES, "yaml operator"))))
def test_every_example_of_the_configuration_is_taken(number, tmp_path):
    from operators.drift.config import load

    file = tmp_path / "config.yaml"
    file.write_text(blocks(KUBERNETES, "yaml operator")[number].body)
    load(file)


def test_every_field_of_the_configuration_has_an_example():
    from operators.drift.config import Configuration

    said = "\n".join(block.body for block in blocks(KUBERNETES, "yaml operator"))
    schema = Configuration.model_json_schema(by_alias=True)
    fields = {field for model in [schema, *schema["$defs"].values()] for field in model.get("properties", {})}
    assert {field for field in fields if not re.search(rf"\b{field}:", said)} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_verb_of_the_plugin_exists(page):
    import typer

    from trimtab.cli.kubectl import build

    plugin = typer.main.get_command(build())
    for words in commands(page, "kubectl"):
        if words[:1] != ["trimtab"]:
            continue
        verb, rest = plugin, words[1:]
        while rest and not rest[0].startswith("-") and hasattr(verb, "commands"):
            assert rest[0] in verb.commands, f"{name(page)}: kubectl {' '.join(words)}"
            verb, rest = verb.commands[rest[0]], rest[1:]
        known = {option for parameter in verb.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, f"{name(page)}: {words}"
