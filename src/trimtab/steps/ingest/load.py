"""Files into the temporary table `incoming`: converted, within the window, in the files' order."""

from dataclasses import dataclass

from trimtab.api.errors import DataRefused
from trimtab.api.sources import Source
from trimtab.ports.dialect import SQL_TYPES, listed, literal, quoted
from trimtab.ports.engine import FILE_COLUMN, Scan, Session, SqlFailed
from trimtab.steps.ingest.columns import Plan
from trimtab.steps.ingest.conversion import NAIVE, cast, conversion
from trimtab.steps.ingest.inference import type_of_value
from trimtab.steps.ingest.window import Window
from trimtab.steps.refusals import ColumnTypeChanged, TimestampNaive, WatermarkUnfit

ROW = "trimtab_row"


@dataclass(frozen=True, slots=True)
class Loaded:
    rows: int
    nulled: dict[str, int]


def load(
    name: str, source: Source, scan: Scan, session: Session, plan: Plan, window: Window, *, numbered: bool
) -> Loaded:
    """Fill `incoming`: the plan's columns, and ROW if `numbered`.

    Raises:
        DataRefused: a value is not of its column's type, a time has no zone, a row has no watermark, or a
            file cannot be read; with file, row and column.
    """
    chosen = ", ".join(f"{_expression(source, plan, column)} as {quoted(column)}" for column in plan.types)
    number = f"row_number() over () as {ROW}, " if numbered else ""
    try:
        session.materialise(
            "incoming",
            f"select {number}* from (select {chosen} from {scan.alias}) where {window.predicate}",
        )
    except SqlFailed as error:
        _tell(name, source, scan, session, plan)
        raise DataRefused(f"{name}: the files cannot be read: {error.message}") from None
    if window.column is not None:
        _watermarked(name, scan, session, plan, source, window.column)
    rows = int(session.rows("select count(*) from incoming")[0][0])
    return Loaded(rows, _nulled(source, scan, session, plan))


def _expression(source: Source, plan: Plan, column: str) -> str:
    held = plan.types[column]
    if column not in plan.sent:
        return f"null::{SQL_TYPES[held]}"
    zone = source.time_zones.get(column)
    if column in source.cast:
        return cast(column, plan.sent[column], held, zone)
    return conversion(column, plan.sent[column], held, zone).value


def _tell(name: str, source: Source, scan: Scan, session: Session, plan: Plan) -> None:
    """Raise for the first value that does not convert, in the order of the table's columns."""
    for column, sent in plan.sent.items():
        if column in source.cast:
            continue
        zone = source.time_zones.get(column)
        bad = conversion(column, sent, plan.types[column], zone).bad
        found = _first(session, scan, f"{quoted(column)}::varchar", bad)
        if found is None:
            continue
        file, row, value = found
        naive = plan.types[column] == "timestamp" and zone is None
        if naive and session.rows(f"select regexp_full_match({literal(value)}, {literal(NAIVE)})")[0][0]:
            raise TimestampNaive(name, column, value, file, row)
        kind = sent or type_of_value(session, value)
        if kind == plan.types[column]:
            said = f"'{value}', which is no {kind}"
        else:
            said = f"{kind} ('{value}')"
        raise ColumnTypeChanged(name, column, plan.types[column], said, file, row)


def _first(session: Session, scan: Scan, value: str, predicate: str) -> tuple[str, int, str] | None:
    """The first row of the files of which a predicate is true: file, 1-based row in it, value."""
    rows = session.rows(
        f"with numbered as (select row_number() over () as {ROW}, * from {scan.alias}) "
        f"select {FILE_COLUMN}, {ROW} - (select min({ROW}) from numbered as same "
        f"where same.{FILE_COLUMN} = bad.{FILE_COLUMN}) + 1, {value} "
        f"from numbered as bad where {predicate} order by {ROW} limit 1"
    )
    if not rows:
        return None
    path, row, found = rows[0]
    return scan.shown.get(str(path), str(path)), int(row), str(found)


def _watermarked(name: str, scan: Scan, session: Session, plan: Plan, source: Source, column: str) -> None:
    if session.rows(f"select count(*) from incoming where {quoted(column)} is null")[0][0]:
        found = _first(session, scan, "''", f"({_expression(source, plan, column)}) is null")
        where = f"row {found[1]} of {found[0]}" if found else "a row"
        raise WatermarkUnfit(name, column, f"is missing in {where}")


def _nulled(source: Source, scan: Scan, session: Session, plan: Plan) -> dict[str, int]:
    """Over all rows of the files, whatever the window."""
    columns = [column for column in source.cast if column in plan.sent]
    if not columns:
        return {}
    counts = ", ".join(
        f"count(*) filter ({quoted(column)} is not null and ({_expression(source, plan, column)}) is null)"
        for column in columns
    )
    found = session.rows(f"select {counts} from {scan.alias}")[0]
    return {column: int(count) for column, count in zip(columns, found, strict=True) if count}


def keyed(names: list[str], left: str, right: str) -> str:
    """Predicate: two rows agree in these columns, nulls being equal."""
    return " and ".join(f"{listed([one], left)} is not distinct from {listed([one], right)}" for one in names)
