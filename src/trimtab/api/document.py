"""A YAML file as values that still know on which line they stand, checked against a model all at once.

PyYAML keeps the last of two equal keys without a word; here that is a problem like any other.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from trimtab.api.address import hidden
from trimtab.api.errors import InputRefused

Path = tuple[str | int, ...]
_REMEDY = re.compile(r" — |; (?=write |name |use |for )")
"""Parts a validator's message: what is wrong, and what to do about it."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        file: as the user named it.
        line: 1-based; 0 where the whole file is meant.
        path: field path such as `sources.flights.load.key`; "" for the whole file.
        message: what is wrong.
        remedy: what to write instead; "" if there is nothing to add.
    """

    file: str
    line: int
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.path}:" if self.path else ""
        text = f"{where}:{field} {self.message}"
        return f"{text}\n    remedy: {self.remedy}" if self.remedy else text


class FilesRefused(InputRefused):
    """What is wrong in the files that a user wrote: every problem, not the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        file: as the user named it.
        data: plain values.
        lines: 1-based line of each field path.
    """

    file: str
    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of a field, or of the nearest field around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 0


def read(text: str, file: str) -> Document:
    """Parse one YAML document.

    Raises:
        FilesRefused: not YAML, more than one document, or a key given twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise FilesRefused([Problem(file, line, "", f"not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise FilesRefused([Problem(file, 0, "", f"not YAML: {error}")]) from None
    lines: dict[Path, int] = {}
    if node is not None and (problems := list(_walk(node, (), lines, file))):
        raise FilesRefused(problems)
    return Document(file, data, lines)


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], file: str) -> Iterator[Problem]:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                yield Problem(file, key.start_mark.line + 1, dotted(inner),
                              f"is given twice, first on line {lines[inner]}", "keep one of them")  # fmt: skip
            lines[inner] = key.start_mark.line + 1
            yield from _walk(value, inner, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*path, index), lines, file)


def validate(model: type[Model], document: Document) -> Model:
    """The document as a model.

    Raises:
        FilesRefused: with every field that is wrong, its line and its remedy.
    """
    if not isinstance(document.data, dict):
        raise FilesRefused([Problem(document.file, 1, "", "holds no fields", "write `name: value` lines")])
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise FilesRefused([_problem(document, model, one) for one in error.errors()]) from None


def _problem(document: Document, model: type[BaseModel], error: Any) -> Problem:
    path = tuple(part for part in error["loc"] if _stands_in(document, part))
    line = document.line(path)
    if error["type"] == "extra_forbidden":
        remedy = _nearest(model, path)
        return Problem(document.file, line, dotted(path), "is no field here", remedy)
    if error["type"] == "missing":
        return Problem(document.file, line, dotted(error["loc"]), "is required", f"add `{error['loc'][-1]}:`")
    if error["type"] == "union_tag_invalid":
        known = [tag.strip(" '") for tag in error["ctx"]["expected_tags"].split(",")]
        near = difflib.get_close_matches(str(error["ctx"]["tag"]), known, n=1)
        field = str(error["ctx"]["discriminator"]).strip("'")
        return Problem(document.file, line, dotted((*path, field)), f"'{error['ctx']['tag']}' is not known",
                       f"did you mean `{near[0]}`?" if near else f"one of {', '.join(known)}")  # fmt: skip
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    remedy = ""
    if error["type"] == "string_pattern_mismatch":
        message = f"{error.get('input')!r} is not of the form that is needed"
        remedy = _described(model, path)
    if found := _REMEDY.search(message):
        message, remedy = message[: found.start()], message[found.end() :]
    given = error.get("input")
    if (
        isinstance(given, str | int | float | bool)
        and repr(given) not in message
        and str(given) not in message
    ):
        message = f"{message}, not {given!r}"
    return Problem(document.file, line, dotted(path), hidden(message[:1].lower() + message[1:]), remedy)


def _stands_in(document: Document, part: str | int) -> bool:
    """Pydantic puts names of union members into a location; a user never wrote those."""
    return any(part in path for path in document.lines)


def _nearest(model: type[BaseModel], path: Path) -> str:
    known = sorted(_fields_at(model, path[:-1]))
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known here: {', '.join(known)}" if known else "remove it"


def _described(model: type[BaseModel], path: Path) -> str:
    """What the model says of the field."""
    keys = [part for part in path if isinstance(part, str)]
    for one in _models_at(model, path[: len(path) - 1]):
        for name, field in one.model_fields.items():
            if keys and (field.alias or name) == keys[-1] and field.description:
                return f"write {field.description}"
    return ""


def _fields_at(model: type[BaseModel], path: Path) -> set[str]:
    return {
        field.alias or name for one in _models_at(model, path) for name, field in one.model_fields.items()
    }


def _models_at(model: type[BaseModel], path: Path) -> set[type[BaseModel]]:
    models: set[type[BaseModel]] = {model}
    for part in path:
        found: set[type[BaseModel]] = set()
        for one in models:
            fields = {field.alias or name: field for name, field in one.model_fields.items()}
            if part in fields:
                found |= _models_in(fields[str(part)].annotation)
            elif isinstance(part, int):
                found.add(one)
        # a mapping or list of models: its keys are the user's own
        models = found or models
    return models


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for inner in getattr(annotation, "__args__", ()) for found in _models_in(inner)}


def dotted(path: Sequence[str | int]) -> str:
    """`("steps", 0, "name")` as `steps[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text
