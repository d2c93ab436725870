"""A model.py tried on a few made-up rows, in a fresh process: `python -m trimtab.local.check.model FILE TASK…`.

It builds, fits and answers, as train will have it do; what it raises, or a NaN, is a finding.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trimtab.adapters.projects.load import Loaded
from trimtab.api.document import Problem
from trimtab.api.errors import TrimtabError
from trimtab.api.project import Training
from trimtab.features.schema import Categorical, FeatureSchema, Task
from trimtab.local.check.files import defines_build, syntax_problem
from trimtab.local.extras import missing

ROWS = 400
TIMEOUT_S = 60.0
CLASSES: dict[Task, tuple[str, ...]] = {"binary": ("0", "1"), "multiclass": ("a", "b", "c"), "regression": ()}
TRIED: dict[str, tuple[Task, ...]] = {
    "boolean": ("binary",),
    "string": ("binary", "multiclass"),
    "number": ("regression",),
    "integer": ("binary", "regression"),
}
"""Tasks that are tried for a type of label; one that goes well is enough."""


def model_problems(loaded: Loaded, label: str | None, notes: list[str]) -> Iterator[Problem]:
    """What building, fitting and asking the project's model.py says.

    Args:
        label: type of the label's column; None when it is not known.
        notes: is told when nothing could be tried.
    """
    file = loaded.project.model
    if not isinstance(file, str):
        return
    path = loaded.root / file
    if syntax_problem(loaded.root, file) or not defines_build(path):
        return
    if missing("train"):
        notes.append(f"{file} is not tried: that needs pip install 'trimtab[train]'")
        return
    tasks = TRIED.get(label or "", ("binary", "regression"))
    command = [sys.executable, "-m", "trimtab.local.check.model", str(path), *tasks]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        yield Problem(
            file, 0, "", f"took more than {TIMEOUT_S:g} s to learn {ROWS} rows", "give it less to do"
        )
        return
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        yield Problem(file, 0, "", f"ended the process with status {done.returncode}: {last}")
        return
    told = json.loads(done.stdout.splitlines()[-1])
    if told:
        message = told["message"].removeprefix(f"{path}: ")
        yield Problem(file, told["line"], "", message, told["remedy"])


def tried(path: Path, tasks: list[Task]) -> TrimtabError | None:
    """Why the model.py goes well with none of these tasks; None when it does with one."""
    said: TrimtabError | None = None
    for task in tasks:
        try:
            _try(path, task)
        except TrimtabError as refused:
            said = said or refused
        else:
            return None
    return said


def _try(path: Path, task: Task) -> None:
    from trimtab.steps.fitting.contract import answers, built, file_source, fitted

    draw = np.random.default_rng(7)
    schema = FeatureSchema(("x", "y"), (Categorical("word", ("a", "b")),), task, CLASSES[task])
    matrix = np.column_stack([draw.normal(size=(ROWS, 2)), draw.integers(0, 3, ROWS)]).astype(np.float32)
    score = matrix[:, 0] + draw.normal(size=ROWS)
    target = score if task == "regression" else np.digitize(score, [-0.5, 0.5])[:ROWS] % len(schema.classes)
    source = file_source(path)
    made = built(source, schema, 7, Training(epochs=1, device="cpu"))
    estimator = fitted(source.name, made, matrix, target, (matrix, target))
    answers(source.name, estimator, matrix, schema)


def main(arguments: list[str]) -> None:
    refused = tried(Path(arguments[0]), arguments[1:])  # type: ignore[arg-type]  # model_problems names tasks
    told = {}
    if refused is not None:
        _, found, rest = refused.message.rpartition("(line ")
        line = int(rest.rstrip(")")) if found and rest.rstrip(")").isdigit() else 0
        told = {"message": refused.message, "remedy": refused.remedy or "", "line": line}
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
