"""A component's page names what its interface names."""

import ast
import re

import pytest
from documentation_pages import ROOT

COMPONENTS = sorted(path.parent for path in ROOT.glob("components/*/component.py"))


def interface(source: str) -> tuple[set[str], set[str]]:
    """(what a component takes, what it gives), from its signature."""
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    takes, gives = set(), set()
    for argument in function.args.args:
        assert argument.annotation is not None
        (gives if "dsl.Output" in ast.unparse(argument.annotation) else takes).add(argument.arg)
    if function.returns is not None:
        gives |= set(re.findall(r"\('(\w+)', \w+\)", ast.unparse(function.returns)))
    return takes, gives


def rows(page: str, heading: str) -> set[str]:
    """First words of the table under a heading row."""
    table = page.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


@pytest.mark.parametrize("folder", COMPONENTS, ids=lambda folder: folder.name)
def test_the_page_of_a_component_names_its_inputs_and_outputs(folder):
    takes, gives = interface((folder / "component.py").read_text())
    page = (folder / "README.md").read_text()
    assert page.startswith(f"# {folder.name}\n")
    assert rows(page, "takes") == takes
    assert rows(page, "gives") == gives
