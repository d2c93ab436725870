"""Which columns each source and table would have, found out without reading all rows or writing anything."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from trimtab.api.errors import TrimtabError
from trimtab.api.sources import ColumnType, Load, Source
from trimtab.ports.dialect import SQL_TYPES, quoted
from trimtab.ports.engine import Engine, Session, SqlFailed
from trimtab.ports.files import Files
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.ingest.columns import plan
from trimtab.steps.order import SqlRefused, TableSql, ordered, refused
from trimtab.steps.refusals import ColumnUnknown
from trimtab.steps.tables import brought

Columns = Mapping[str, ColumnType]


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a look at files and SQL told.

    Attributes:
        columns: type by column, of each source and table that could be told.
        sources, tables: what is wrong with each of the others that is itself at fault.
    """

    columns: Mapping[str, Columns]
    sources: Mapping[str, TrimtabError]
    tables: Mapping[str, SqlRefused]


def shapes(
    sources: Mapping[str, Source],
    sql: Mapping[str, TableSql],
    *,
    files: Files,
    engine: Engine,
    tables: Tables,
) -> Shapes:
    """Look at the first rows of each source, and bind each table's SQL to what they hold.

    A table that reads one of unknown columns is itself of unknown columns, and not at fault.
    """
    columns: dict[str, Columns] = {}
    broken: dict[str, TrimtabError] = {}
    for name, source in sources.items():
        try:
            columns[name] = source_columns(name, source, files, engine, tables)
        except ColumnUnknown as error:
            broken[name] = error
            bare = source.model_copy(update={"load": Load(), "cast": {}, "ignore": [], "accept": []})
            with suppress(TrimtabError):  # the columns are known, if not all that is said of them holds
                columns[name] = source_columns(name, bare, files, engine, tables)
        except TrimtabError as error:
            broken[name] = error
    wrong: dict[str, SqlRefused] = {}
    with engine.session() as session:
        for name, held in columns.items():
            _mount(session, name, held)
        order, circles = _order(session, sql, {*sources})
        wrong |= circles
        for name, reads in order.items():
            if any(read not in columns for read in reads):
                continue
            try:
                columns[name] = _bound(session, sql[name])
            except SqlRefused as error:
                wrong[name] = error
            else:
                _mount(session, name, columns[name])
    return Shapes(columns, broken, wrong)


def source_columns(name: str, source: Source, files: Files, engine: Engine, tables: Tables) -> Columns:
    """The columns that ingest would give this source now.

    Raises:
        DataRefused: no file, or one that does not hold what was declared or what the table holds.
    """
    with files.opened(name, source.patterns, source.format) as found, engine.session() as session:
        scan = session.scan("source_files", found, source.nulls)
        held = tables.head(name)
        if held is not None:
            session.mount("held", Pointer(name, held.version, held.rows, held.digest))
        return plan(name, source, scan, session, held).types


def _order(
    session: Session, sql: Mapping[str, TableSql], known: set[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, SqlRefused]]:
    """Tables in order with what they read, and those that cannot be placed."""
    wrong: dict[str, SqlRefused] = {}
    while True:
        rest = {name: one for name, one in sql.items() if name not in wrong}
        try:
            return ordered(session, rest, {*known, *wrong}), wrong
        except SqlRefused as error:
            at_fault = next(name for name, one in rest.items() if one.path == error.path)
            wrong[at_fault] = error


def _bound(session: Session, sql: TableSql) -> Columns:
    body = sql.text.strip().rstrip(";")
    skipped = sql.text[: sql.text.index(body)].count("\n")
    try:
        found = session.columns(body)
    except SqlFailed as error:
        line = error.line + skipped if error.line else None
        raise refused(sql, SqlFailed(error.message, line=line, kind=error.kind)) from None
    return {column: brought(sql, column, kind) for column, kind in found.items()}


def _mount(session: Session, name: str, columns: Columns) -> None:
    empty = ", ".join(f"null::{SQL_TYPES[kind]} as {quoted(column)}" for column, kind in columns.items())
    session.run(f"create or replace view {quoted(name)} as select {empty} where false")
