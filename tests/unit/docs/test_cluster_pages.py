"""What the pages of the cluster say is so; their commands are run by tests/cluster/control_plane/docs."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest
from documentation_pages import PAGES, ROOT, blocks, commands, name

KUBERNETES = ROOT / "docs" / "kubernetes.md"
DAY_TWO = ROOT / "docs" / "day-two.md"
SPOKEN = (
    "operators/drift",
    "src/trimtab/adapters",
    "src/trimtab/control",
    "src/trimtab/retrain",
    "src/trimtab/rollout",
)
"""Where conditions get their reasons."""
CONDITIONS = ("Condition", "condition", "Fact")
SOURCES: dict[str, tuple[int, tuple[str, ...]]] = {
    "TemplateRefused": (-1, ("TemplateValid",)),
    "gateway_api.Standing": (1, ("RouteAccepted", "PreviewAccepted")),
    "Finding": (1, ("MirrorSupported",)),
    "Lacks": (0, ("Stalled",)),
    "Unfounded": (0, ("Ready",)),
    "_rests": (2, ("Ready", "Stalled")),
    "_say": (2, ("Ready", "Stalled")),
}
"""Calls by which a reason is handed on, of any folder or of one: which argument it is (-1: `reason=`), and of which
conditions. That of PairingSupported is MirrorSupported's where it is Probed, and its own else."""
HANDED_ON = {
    "stands.reason": "a Standing's",
    "one.reason": "a Standing's",
    "found.reason": "a Finding's",
    "unable[0].reason": "that which a step Lacks",
    "missing.reason": "an Unfounded's",
    "error.reason": "a TemplateRefused's, or the API server's own word",
    "one.get('reason', kind)": "the gateway's own word",
    "seen.status.phase.value": "a Phase",
    "fact.reason": "a Fact's",
    "reason": "that of a call by _rests or _say",
}
"""Expressions of reasons that are written out elsewhere."""


def leaves(node: ast.expr, named: dict[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """What an expression may come to be."""
    parts: list[ast.expr] = []
    if isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.Name):
        parts = named.get(node.id, [])
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        tables = [one for one in named.get(node.value.id, ()) if isinstance(one, ast.Dict)]
        parts = [value for one in tables for value in one.values]
    if not parts:
        yield node
    for part in parts:
        yield from leaves(part, named)


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def assignments(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """What is assigned to each name."""
    named: dict[str, list[ast.expr]] = {}
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                named.setdefault(target.id, []).append(value)
    return named


def reasons(
    node: ast.Call, folder: str, named: dict[str, list[ast.expr]]
) -> tuple[tuple[str, ...], ast.expr | None]:
    """The types of the condition that a call makes or brings about, and its reason."""
    if called(node) in CONDITIONS:
        if len(node.args) < 3:
            return (), None
        kinds = [one.value for one in leaves(node.args[0], named) if isinstance(one, ast.Constant)]
        return tuple(map(str, kinds)), node.args[2]
    of_all = SOURCES.get(called(node), (0, ()))
    place, kinds_of_source = SOURCES.get(f"{folder}.{called(node)}", of_all)
    if place < 0:
        words = (word.value for word in node.keywords if word.arg == "reason")
        return kinds_of_source, next(words, None)
    return kinds_of_source, node.args[place] if len(node.args) > place else None


def spoken() -> Iterator[tuple[tuple[str, ...], ast.expr]]:
    """(types, reason) of each condition that the code makes, and of each call that hands a reason on."""
    for folder in SPOKEN:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            constants = assignments(tree.body)
            for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
                named = {**constants, **assignments(ast.walk(function))}
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        kinds, reason = reasons(node, path.parent.name, named)
                        if kinds and reason is not None:
                            yield from ((kinds, leaf) for leaf in leaves(reason, named))


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
    from trimtab.api.rollout_status import Phase

    said = {
        (kind, reason.value)
        for kinds, reason in spoken()
        for kind in kinds
        if isinstance(reason, ast.Constant) and reason.value
    }
    said |= {("Progressing", phase.value) for phase in Phase} - {("Progressing", Phase.IDLE.value)}
    assert len(said) > 100
    assert said - table() == set()


def test_a_reason_that_is_no_literal_is_written_out_where_the_test_above_looks():
    handed = {ast.unparse(reason) for _, reason in spoken() if not isinstance(reason, ast.Constant)}
    assert handed == HANDED_ON.keys() - {"fact.reason"}


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
