"""Which imports of a features.py the model server would not have."""

import ast
import sys
from dataclasses import dataclass

ALLOWED = ("numpy", "trimtab.features")


@dataclass(frozen=True, slots=True)
class ForbiddenImport:
    """An import of something other than the standard library, numpy and trimtab.features."""

    module: str
    line: int


def forbidden_imports(source: str) -> list[ForbiddenImport]:
    """Forbidden imports, wherever they stand in the source, by line.

    Raises:
        SyntaxError: the source does not parse.

    >>> forbidden_imports("import numpy as np, pandas")
    [ForbiddenImport(module='pandas', line=1)]
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
        else:
            continue
        found += [ForbiddenImport(module, node.lineno) for module in modules if not _allowed(module)]
    return sorted(found, key=lambda item: item.line)


def _allowed(module: str) -> bool:
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names or any(
        module == name or module.startswith(f"{name}.") for name in ALLOWED
    )
