"""Composition root of the tasks that make a run's rows: every source and table, as far as expectations hold."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.api.errors import AnswerIsNo
from trimtab.api.expectations import Expectations
from trimtab.api.project import Project
from trimtab.bootstrap.artefacts import read_outcome, read_pointers, write_outcome, write_pointers
from trimtab.bootstrap.failing import tells_failure
from trimtab.bootstrap.parameters import moment
from trimtab.bootstrap.workplace import Workplace
from trimtab.ports.tables import Pointer

if TYPE_CHECKING:
    from trimtab.steps.validate import Validated


class Versioned(NamedTuple):
    version: str


class Ingested(NamedTuple):
    version: str
    moment: str


@tells_failure
def ingest(project: str, until: str, sources: Any) -> Ingested:
    """Every source into its table."""
    from trimtab.steps.ingest import ingest as step

    place, end = Workplace.open(project), moment(until)
    pointers = {}
    for name in place.loaded.project.sources:
        taken = step(
            name, place.source(name), files=place.files, engine=place.engine, tables=place.tables, until=end
        )
        print(f"{name}: {taken}")  # noqa: T201  a task's log is its standard output
        pointers[name] = taken.pointer
    return Ingested(write_pointers(pointers, sources), end.isoformat())


@tells_failure
def build(
    project: str, until: str, sources_version: str, sources: Any, tables: Any, judged: Any
) -> Versioned:
    """Every table of SQL, after the expectations on the sources."""
    from trimtab.steps.order import TableSql
    from trimtab.steps.tables import build as step

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    pointers = read_pointers(sources)
    expected = place.expectations() is not None
    outcome = expect(place, pointers if expected else {}, end)
    write_outcome(outcome, judged)
    demand(outcome, place)
    pointers |= outcome.pointers
    declared = place.loaded.project
    built = step(
        {
            name: TableSql(file, (place.loaded.root / file).read_text(encoding="utf-8"))
            for name, file in declared.tables.items()
        },
        pointers,
        engine=place.engine,
        tables=place.tables,
        times=times_of(declared),
        until=end,
    )
    return Versioned(
        write_pointers({**pointers, **{name: table.pointer for name, table in built.items()}}, tables)
    )


@tells_failure
def validate(
    project: str,
    until: str,
    tables_version: str,
    tables: Any,
    judged: Any,
    good: Any,
    report: Any,
    outcome: Any,
) -> Versioned:
    """Expectations on the tables; a failed one ends the run, once the report is written."""
    from trimtab.steps.validation_report import html

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    pointers, before = read_pointers(tables), read_outcome(judged)
    left = {name: pointer for name, pointer in pointers.items() if name not in before.tables}
    found = before.then(expect(place, left, end))
    Path(report.path).write_text(html(found, place.loaded.project.name), encoding="utf-8")
    write_outcome(found, outcome)
    demand(found, place)
    return Versioned(write_pointers(found.pointers, good))


def expect(place: Workplace, pointers: Mapping[str, Pointer], until: datetime) -> "Validated":
    """What the project expects of these tables, judged on their rows before `until`."""
    from trimtab.steps.validate import validate as step

    return step(
        pointers,
        place.expectations() or Expectations({}),
        engine=place.engine,
        tables=place.tables,
        now=until,
        times=times_of(place.loaded.project),
    )


def times_of(project: Project) -> dict[str, str]:
    """When a row happened, by source and examples table: the watermark's column, else that of the examples."""
    time = project.examples.time
    own = {project.examples_table: time} if time else {}
    return own | {name: one.load.watermark for name, one in project.sources.items() if one.load.watermark}


def demand(outcome: "Validated", place: Workplace) -> None:
    """Let the run go on.

    Raises:
        AnswerIsNo: an expectation that says `fail` does not hold.
    """
    if not outcome.passed:
        raise AnswerIsNo(
            f"expectations do not hold: {outcome.because}",
            remedy=f"mend the data, or change {place.loaded.project.expectations}",
        )
