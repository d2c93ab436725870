"""`search:` of trimtab.yaml: parameters that a family, or model.py's build, does not take."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from trimtab.adapters.projects.load import FILE, Loaded
from trimtab.api.document import Problem, dotted
from trimtab.api.search import Parameter
from trimtab.features.schema import Task
from trimtab.local.check.files import syntax_problem
from trimtab.local.check.metrics import TASKS_OF_LABEL
from trimtab.local.extras import missing


def search_problems(loaded: Loaded, label: str | None) -> Iterator[Problem]:
    """Parameters of `search.space` that nothing takes.

    Args:
        label: type of the label's column; None when it is not known.
    """
    project = loaded.project
    if project.search is None or missing("train"):
        return
    from trimtab.steps.search.spaces import MODEL_FILE, unknown_parameters

    space: Mapping[str, Mapping[str, Parameter]] = project.search.families()
    takes, file = None, ""
    if isinstance(project.model, str):
        file, space = project.model, {MODEL_FILE: project.search.parameters()}
        takes = None if syntax_problem(loaded.root, file) else build_takes(loaded.root / file)
    task: Task = "regression" if TASKS_OF_LABEL.get(label or "") == {"regression"} else "binary"
    for path, message, remedy in unknown_parameters(space, takes, task, file):
        field = ("search", "space", *path)
        yield Problem(FILE, loaded.document.line(field), dotted(field), message, remedy)


def build_takes(path: Path) -> list[str] | None:
    """Names of the parameters of a model.py's build, which is not run; None where it takes any, or is no def."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "build" and node.args.kwarg is None:
            return [one.arg for one in (*node.args.args, *node.args.kwonlyargs)][1:]
    return None
