"""Columns that trimtab.yaml, expectations, SQL and features.py name, against those that sources and SQL give."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import FILE, Loaded
from trimtab.api.document import FilesRefused, Problem, dotted, read, validate
from trimtab.api.document import Path as FieldPath
from trimtab.api.errors import InputRefused, TrimtabError
from trimtab.api.expectations import Expectations
from trimtab.api.platform import Platform
from trimtab.api.project import Project
from trimtab.features.columns import Kind

if TYPE_CHECKING:
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.features.check import Finding
    from trimtab.features.definition import FeatureDefinition
    from trimtab.ports.tables import Pointer
    from trimtab.steps.shapes import Shapes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at sources and SQL told.

    Attributes:
        shapes: columns by source and table.
        built: the tables that a run has made, where it has made every one; else empty.
    """

    shapes: "Shapes"
    built: Mapping[str, "Pointer"]
    tables: "DeltaTables"
    engine: "DuckEngine"

    def label_kind(self, project: Project) -> str | None:
        """The type of the label's column; None when it is not known."""
        return self.shapes.columns.get(project.examples_table, {}).get(project.examples.label.column)

    def looked_up(self, definition: "FeatureDefinition") -> dict[str, Kind]:
        """Kind by input of the columns that VIEWS look up, as far as they are known."""
        from trimtab.steps.arrow_columns import KIND_OF

        found: dict[str, Kind] = {}
        for view in definition.views:
            held = self.shapes.columns.get(view.name, {})
            found |= {name: KIND_OF[held[column]] for column, name in view.columns.items() if column in held}
        return found

    def feature_findings(self, loaded: Loaded, path: Path) -> list["Finding"]:
        """The check of features.py on the newest examples."""
        from trimtab.steps.check_features import check_project_features

        return check_project_features(loaded.project, path, self.built, self.engine, self.tables)


def look(loaded: Loaded, platform: Platform) -> Seen:
    """Read the first rows of each source, from where the platform says, and bind the SQL to them."""
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.files import LocalFiles
    from trimtab.bootstrap.workplace import tables_of
    from trimtab.ports.tables import Pointer
    from trimtab.steps.order import TableSql
    from trimtab.steps.shapes import shapes

    project, home = loaded.project, Home.of(loaded.root)
    tables, scratch = tables_of(platform, home), home.path / "tmp"
    engine = DuckEngine(tables, scratch=scratch)
    sources = {
        name: source.model_copy(update={"files": platform.sources[name]})
        if name in platform.sources
        else source
        for name, source in project.sources.items()
    }
    found = shapes(
        sources,
        {
            name: TableSql(file, (loaded.root / file).read_text("utf-8"))
            for name, file in project.tables.items()
        },
        files=LocalFiles(data_root=loaded.root / (platform.data_root or ""), scratch=scratch),
        engine=engine,
        tables=tables,
    )
    heads = {name: tables.head(name) for name in (*project.sources, *project.tables)}
    built = {
        name: Pointer(head.name, head.version, head.rows, head.digest)
        for name, head in heads.items()
        if head is not None
    }
    same = all(head is not None and found.columns.get(name) == head.columns for name, head in heads.items())
    return Seen(found, built if same else {}, tables, engine)


def column_problems(loaded: Loaded, seen: Seen) -> Iterator[Problem]:
    """What is wrong between files: a source, a table's SQL, a column that is named and is not there."""
    for name, error in seen.shapes.sources.items():
        path = ("sources", name)
        yield Problem(
            FILE,
            loaded.document.line(path),
            dotted(path),
            error.message.removeprefix(f"{name}: "),
            error.remedy or "",
        )
    for refused in seen.shapes.tables.values():
        message = refused.message.split(": ", 1)[-1]
        yield Problem(refused.path, refused.line or 0, "", message, refused.remedy or "")
    yield from _examples(loaded, seen)
    yield from _expectations(loaded, seen)
    yield from _features(loaded, seen)


def _examples(loaded: Loaded, seen: Seen) -> Iterator[Problem]:
    project = loaded.project
    held = seen.shapes.columns.get(project.examples_table)
    if held is None:
        return
    examples, label = project.examples, project.examples.label
    named: list[tuple[FieldPath, str | None]] = [
        (("examples", "label", "column"), label.column),
        (("examples", "label", "knownAt"), label.known_at),
        (("examples", "time"), examples.time),
        *((("examples", "key", i), column) for i, column in enumerate(examples.key)),
        *((("evaluation", "slices", i), column) for i, column in enumerate(project.evaluation.slices)),
        (("evaluation", "group"), project.evaluation.group),
        *(
            (("evaluation", "fairness", "attributes", i), column)
            for i, column in enumerate(
                project.evaluation.fairness.attributes if project.evaluation.fairness else ()
            )
        ),
    ]
    for path, column in named:
        if column is not None and column not in held:
            yield _absent(FILE, loaded.document.line(path), path, column, project.examples_table, held)
    for path, column in (
        (("examples", "time"), examples.time),
        (("examples", "label", "knownAt"), label.known_at),
    ):
        if column is not None and column in held and held[column] not in ("timestamp", "date"):
            yield Problem(FILE, loaded.document.line(path), dotted(path), f"'{column}' holds {held[column]}, no time",
                          "name a column of times, or make one in SQL")  # fmt: skip
    if held.get(label.column) in ("timestamp", "date"):
        path = ("examples", "label", "column")
        yield Problem(FILE, loaded.document.line(path), dotted(path), f"'{label.column}' holds a time, no label",
                      "predict a truth value, a class or a number")  # fmt: skip


def _expectations(loaded: Loaded, seen: Seen) -> Iterator[Problem]:
    file = loaded.project.expectations
    if file is None:
        return
    document = read((loaded.root / file).read_text(encoding="utf-8"), file)
    try:
        expectations = validate(Expectations, document)
    except FilesRefused:
        return
    for table in expectations.root:
        held = seen.shapes.columns.get(table)
        if held is None:
            continue
        for index, expectation in enumerate(expectations.of(table)):
            for path, column in _columns_of(expectation, (table, index)):
                if column not in held:
                    yield _absent(file, document.line(path), path, column, table, held)


def _columns_of(expectation: Any, at: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if (column := getattr(expectation, "column", None)) is not None:
        yield (*at, "column"), column
    for place, column in enumerate(getattr(expectation, "columns", ())):
        yield (*at, "columns", place), column


def _features(loaded: Loaded, seen: Seen) -> Iterator[Problem]:
    """REQUEST and VIEWS of features.py against the tables."""
    from trimtab.features.definition import load_features
    from trimtab.steps.inputs import check_request, view_kinds

    file, project = loaded.project.features, loaded.project
    if file is None:
        yield from _behaviour(loaded, dict(_whole(project, seen)))
        return
    path, held = loaded.root / file, seen.shapes.columns
    try:
        definition = load_features(path)
    except TrimtabError:
        return  # told by the check of the file itself
    unknown = {*project.sources, *project.tables} - held.keys()
    try:
        if project.examples_table in held:
            check_request(definition, project.examples_table, held[project.examples_table])
        if not unknown & {view.name for view in definition.views}:
            kinds = definition.input_kinds(view_kinds(definition, held))
            yield from _behaviour(loaded, kinds)
    except TrimtabError as refused:
        yield Problem(file, 0, "", refused.message.removeprefix(f"{path}: "), refused.remedy or "")


def _whole(project: Project, seen: Seen) -> Mapping[str, Kind]:
    """Inputs of a project without features.py."""
    from trimtab.steps.featurize import whole_table

    held = seen.shapes.columns.get(project.examples_table)
    return whole_table(project, held).request if held is not None else {}


def _behaviour(loaded: Loaded, kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    """Behaviour tests against the inputs that they name; nothing where those are not known."""
    from trimtab.steps.behaviour import check_test

    for i, test in enumerate(loaded.project.evaluation.behaviour if kinds else ()):
        path = ("evaluation", "behaviour", i)
        try:
            check_test(test, kinds)
        except InputRefused as refused:
            said = refused.message.removeprefix("trimtab.yaml: evaluation.behaviour ")
            yield Problem(FILE, loaded.document.line(path), dotted(path), said, refused.remedy or "")


def _absent(
    file: str, line: int, path: FieldPath, column: str, table: str, held: Mapping[str, Any]
) -> Problem:
    near = difflib.get_close_matches(column, held, n=1)
    remedy = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(list(held)[:30])}"
    return Problem(file, line, dotted(path), f"table '{table}' has no column '{column}'", remedy)
