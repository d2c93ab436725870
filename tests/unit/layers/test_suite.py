"""The suite itself: collecting it stays quick, because heavy libraries are imported in fixtures."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
HEAVY = frozenset(
    {
        "connectorx", "deltalake", "duckdb", "feast", "kfp", "kserve", "mlflow", "numba", "onnx", "onnxruntime",
        "optuna", "pandas", "polars", "ray", "skl2onnx", "sklearn", "torch",
    }
)  # fmt: skip


def imported_with(body: list[ast.stmt]) -> Iterator[str]:
    """First parts of what a module's own import brings in; not what its functions import when called."""
    for node in body:
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                inner = (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt))
                yield from imported_with(list(inner))


IMPORTED = [path for path in TESTS.rglob("*.py") if "images_scripts" not in path.parts]
"""What pytest imports: not the programs that go into images."""


@pytest.mark.parametrize("path", sorted(IMPORTED), ids=lambda path: str(path.relative_to(TESTS)))
def test_a_test_module_imports_no_heavy_library(path):
    assert not HEAVY.intersection(imported_with(ast.parse(path.read_text()).body))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import duckdb", {"duckdb"}),
        ("from mlflow.tracking import MlflowClient", {"mlflow"}),
        ("try:\n    import torch\nexcept ImportError:\n    pass", {"torch"}),
        ("class A:\n    import kfp", {"kfp"}),
        ("def fixture():\n    import duckdb", set()),
        ("if TYPE_CHECKING:\n    import feast", set()),
    ],
)
def test_an_import_counts_where_it_runs_with_the_module(source, found):
    assert set(imported_with(ast.parse(source).body)) == found


def test_collecting_brought_in_no_heavy_library(loaded_by_collection):
    """Neither does what the test modules import, such as our own adapters."""
    assert not HEAVY.intersection(loaded_by_collection)
