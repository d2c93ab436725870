"""Checks of one file alone: expectations.yaml, features.py, model.py."""

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

from trimtab.adapters.projects.load import Loaded
from trimtab.api.document import FilesRefused, Problem, read, validate
from trimtab.api.errors import TrimtabError
from trimtab.api.expectations import Expectations
from trimtab.local.check.columns import Seen


def expectation_problems(loaded: Loaded) -> Iterator[Problem]:
    """expectations.yaml: its form, and tables that are not there."""
    file = loaded.project.expectations
    if file is None:
        return
    try:
        document = read((loaded.root / file).read_text(encoding="utf-8"), file)
    except FilesRefused as refused:
        yield from refused.problems
        return
    try:
        validate(Expectations, document)
    except FilesRefused as refused:
        yield from refused.problems
    known = [*loaded.project.tables, *loaded.project.sources]
    for table in document.data if isinstance(document.data, dict) else ():
        if table not in known:
            near = difflib.get_close_matches(str(table), known, n=1)
            yield Problem(file, document.line((str(table),)), str(table), "is neither a source nor a table",
                          f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")  # fmt: skip


def feature_problems(loaded: Loaded, seen: Seen | None) -> Iterator[Problem]:
    """features.py in a fresh process: it loads, imports nothing heavy, and treats each row alone.

    On the newest examples where there are tables, else on made-up rows.
    """
    from trimtab.features.check import check_features
    from trimtab.features.definition import load_features
    from trimtab.features.sample import synthetic_inputs

    file = loaded.project.features
    if file is None:
        return
    if broken := syntax_problem(loaded.root, file):
        yield broken
        return
    path = loaded.root / file
    if seen is not None and seen.built:
        findings = seen.feature_findings(loaded, path)
    else:
        try:
            definition = load_features(path)
        except TrimtabError as refused:
            yield Problem(
                file, _line_in(refused.message), "", _plain(refused.message, path), refused.remedy or ""
            )
            return
        kinds = dict(definition.request)
        for view in definition.views:
            kinds |= dict.fromkeys(view.columns.values(), "number")
        if seen is not None:
            kinds |= seen.looked_up(definition)
        findings = check_features(path, synthetic_inputs(kinds))
    for finding in findings:
        line = finding.line or _line_in(finding.message)
        yield Problem(file, line, "", _plain(finding.message, path), finding.remedy or "")


def model_file_problems(loaded: Loaded) -> Iterator[Problem]:
    """model.py: it parses and defines build."""
    file = loaded.project.model
    if not isinstance(file, str):
        return
    if broken := syntax_problem(loaded.root, file):
        yield broken
    elif not defines_build(loaded.root / file):
        yield Problem(
            file,
            1,
            "",
            "defines no `build`",
            "write `def build(schema, **params):` that returns an estimator",
        )


def defines_build(path: Path) -> bool:
    """Whether a file that parses binds the name `build` at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == "build":
            return True
        if isinstance(node, ast.Assign | ast.ImportFrom | ast.Import) and "build" in ast.dump(node):
            return True
    return False


def syntax_problem(root: Path, file: str) -> Problem | None:
    """Why a file is no Python; None when it is."""
    try:
        ast.parse((root / file).read_text(encoding="utf-8"))
    except SyntaxError as error:
        return Problem(file, error.lineno or 0, "", f"not Python: {error.msg}", "mend the line")
    except (UnicodeDecodeError, ValueError) as error:
        return Problem(file, 0, "", f"not Python: {error}", "save it as UTF-8")
    return None


def _plain(message: str, path: Path) -> str:
    """The message without the file's name, which stands before it anyway."""
    return message.removeprefix(f"{path}: ")


def _line_in(message: str) -> int:
    """The line that a message names at its end, as `… (line 12)`; 0 when it names none."""
    _, found, rest = message.rpartition("(line ")
    number = rest.rstrip(")")
    return int(number) if found and number.isdigit() else 0
