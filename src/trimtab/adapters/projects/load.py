"""Reading trimtab.yaml and platform.yaml from a folder or a bundle."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from trimtab.api.document import Document, FilesRefused, Problem, read, validate
from trimtab.api.errors import InputRefused
from trimtab.api.platform import Platform, Platforms
from trimtab.api.project import Project

FILE = "trimtab.yaml"
PLATFORM_FILE = "platform.yaml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project as read.

    Attributes:
        root: the folder that holds trimtab.yaml.
        document: its lines, for messages.
    """

    root: Path
    project: Project
    document: Document


def load(folder: Path) -> Loaded:
    """The project in `folder`.

    Raises:
        InputRefused: no trimtab.yaml there.
        FilesRefused: with every problem in it, and every named file that is missing or is no text.
    """
    path = folder / FILE
    text = _text(path)
    document = read(text, FILE)
    try:
        project = validate(Project, document)
    except FilesRefused as refused:
        raise FilesRefused(
            [*refused.problems, *_unreadable(folder, document, _named(document.data))]
        ) from None
    if problems := _unreadable(folder, document, project.files):
        raise FilesRefused(problems)
    return Loaded(folder.resolve(), project, document)


def load_platform(folder: Path, name: str | None) -> Platform:
    """The named platform of platform.yaml; the local one, with nothing set, when `name` is None.

    Raises:
        InputRefused: no such platform.
        FilesRefused: platform.yaml is wrong.
    """
    if name is None:
        return Platform()
    if not (folder / PLATFORM_FILE).exists():
        raise InputRefused(
            f"--platform {name}: there is no {PLATFORM_FILE} in {folder}",
            remedy=f"write one with `platforms: {{{name}: {{…}}}}`, or leave --platform out",
        )
    platforms = load_platforms(folder)
    if name not in platforms:
        near = difflib.get_close_matches(name, platforms, n=1)
        known = ", ".join(sorted(platforms)) or "none"
        raise InputRefused(
            f"{PLATFORM_FILE} has no platform '{name}'; it has {known}",
            remedy=f"did you mean '{near[0]}'?" if near else None,
        )
    return platforms[name]


def load_platforms(folder: Path) -> dict[str, Platform]:
    """Every platform of platform.yaml, by name; none where there is no such file.

    Raises:
        FilesRefused: platform.yaml is wrong.
    """
    path = folder / PLATFORM_FILE
    return validate(Platforms, read(_text(path), PLATFORM_FILE)).platforms if path.exists() else {}


def _unreadable(folder: Path, document: Document, files: list[str]) -> list[Problem]:
    """Named files that are not there, or are no text."""
    found = []
    for file in files:
        if not (folder / file).is_file():
            found.append(Problem(FILE, _line_of(document, file), "", f"names '{file}', which is not there",
                                 "create it, or mend the name"))  # fmt: skip
            continue
        body = (folder / file).read_bytes()
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            found.append(Problem(file, line, "", "is not UTF-8", "save it as UTF-8"))
    return found


def _named(data: object) -> list[str]:
    """Files that a trimtab.yaml names that is wrong elsewhere."""
    if not isinstance(data, dict):
        return []
    tables = data.get("tables")
    named = [*(tables.values() if isinstance(tables, dict) else ()),
             *(data.get(field) for field in ("expectations", "features", "model"))]  # fmt: skip
    return sorted({file for file in named if isinstance(file, str)})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputRefused(
            f"{path.parent} holds no {path.name}",
            remedy="go to a project's folder, or make one: trimtab init NAME",
        ) from None
    except UnicodeDecodeError as error:
        raise InputRefused(f"{path}: not UTF-8 at byte {error.start}", remedy="save it as UTF-8") from None


def _line_of(document: Document, value: str) -> int:
    """The line on which a named file stands."""

    def holds(data: object, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
        if data == value:
            return path
        inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        return next((found for key, one in inner if (found := holds(one, (*path, key))) is not None), None)

    return document.line(holds(document.data, ()) or ())
