"""All checks of a project, in one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab.adapters.projects.load import FILE, Loaded, load, load_platform
from trimtab.api.document import FilesRefused, Problem
from trimtab.api.errors import InputRefused
from trimtab.api.platform import Platform
from trimtab.local.check.columns import Seen, column_problems, look
from trimtab.local.check.decidable import undecidable
from trimtab.local.check.files import expectation_problems, feature_problems, model_file_problems
from trimtab.local.check.metrics import metric_problems
from trimtab.local.check.model import model_problems
from trimtab.local.check.search import search_problems
from trimtab.local.extras import missing


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found.

    Attributes:
        name: the project's name; the folder's while trimtab.yaml cannot be read.
        problems: what must be mended, by file and line.
        notes: what is worth knowing.
    """

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems)) or f"{self.name}: in order"


def check_project(folder: Path, platform: str | None = None) -> Findings:
    """Check trimtab.yaml, platform.yaml and every file that they name."""
    problems: list[Problem] = []
    place = Platform()
    try:
        place = load_platform(folder, platform)
    except FilesRefused as refused:
        problems += refused.problems
    except InputRefused as refused:
        problems.append(Problem("platform.yaml", 0, "", refused.message, refused.remedy or ""))
    try:
        loaded = load(folder)
    except FilesRefused as refused:
        problems += refused.problems
        return Findings(folder.resolve().name, _in_order(problems))
    except InputRefused as refused:
        problems.append(Problem(FILE, 0, "", refused.message, refused.remedy or ""))
        return Findings(folder.resolve().name, _in_order(problems))
    notes: list[str] = []
    problems += _of_files(loaded)
    if missing("data"):
        notes.append("columns are not checked: that needs pip install 'trimtab[data]'")
        seen = None
    else:
        seen = look(loaded, place)
        problems += column_problems(loaded, seen)
    problems += _of_code(loaded, seen, notes)
    problems += undecidable(loaded)
    if loaded.project.search is not None and missing("search"):
        notes.append("search: needs pip install 'trimtab[search]'")
    return Findings(loaded.project.name, _in_order(problems), tuple(notes))


def _of_files(loaded: Loaded) -> Iterator[Problem]:
    yield from expectation_problems(loaded)
    yield from model_file_problems(loaded)


def _of_code(loaded: Loaded, seen: Seen | None, notes: list[str]) -> Iterator[Problem]:
    yield from feature_problems(loaded, seen)
    label = seen.label_kind(loaded.project) if seen else None
    yield from metric_problems(loaded, label)
    yield from search_problems(loaded, label)
    yield from model_problems(loaded, label, notes)


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems), key=lambda one: (one.file, one.line, one.path, one.message)))
