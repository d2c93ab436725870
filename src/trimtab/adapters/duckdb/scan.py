"""Source files as one view: csv columns as text, typed formats as their own types, in the files' order."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import duckdb

from trimtab.adapters.duckdb.failures import translated
from trimtab.adapters.duckdb.header import header_of
from trimtab.api.errors import DataRefused
from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import FILE_COLUMN, Scan, SqlFailed
from trimtab.ports.files import SourceFile

_WHOLE: Final = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?"
_SAYS: Final[Sequence[tuple[str, str, ColumnType | None]]] = (
    # DuckDB's type, what to select of it, what it is; None: text, to be read as what it says
    (_WHOLE, "{c}::bigint", "integer"),
    (r"FLOAT|DOUBLE|DECIMAL\(.*\)", "{c}::double", "number"),
    (r"BOOLEAN", "{c}", "boolean"),
    (r"VARCHAR|UUID|ENUM\(.*\)|TIME.*INTERVAL", "{c}::varchar", "string"),
    (r"DATE", "{c}", "date"),
    (r"TIMESTAMP WITH TIME ZONE", "{c}", "timestamp"),
    (r"TIMESTAMP(_S|_MS|_NS)?", "strftime({c}::timestamp, '%Y-%m-%d %H:%M:%S.%f')", None),
)


def scan(
    connection: "duckdb.DuckDBPyConnection", alias: str, files: Sequence[SourceFile], nulls: Sequence[str]
) -> Scan:
    """Make the view `alias`. See `Session.scan`."""
    parts: list[str] = []
    types: dict[str, ColumnType | None] = {}
    foreign: dict[str, str] = {}
    columns: dict[str, tuple[str, ...]] = {}
    for reader, group in _groups(connection, files, nulls):
        described = {
            name: kind for name, kind in _describe(connection, reader, group[0]) if name != FILE_COLUMN
        }
        said = _said(described, text=group[0].format == "csv")
        for name, (_, kind) in said.items():
            if kind == "foreign":
                foreign[name] = described[name]
            elif types.setdefault(name, kind) != kind:
                other = types[name] or "text"
                raise DataRefused(
                    f"{group[0].shown}: column '{name}' is {kind or 'text'}, but {other} in {files[0].shown}",
                    remedy="write both files with one type",
                )
        chosen = ", ".join(f"{sql} as {quoted(name)}" for name, (sql, _) in said.items())
        parts.append(f"select {chosen}, {FILE_COLUMN} from {reader}")
        columns |= {file.shown: tuple(described) for file in group}
    body = " union all by name ".join(parts)
    with translated(body):
        connection.execute(f"create or replace view {quoted(alias)} as {body}")
    return Scan(alias, types, foreign, columns, {str(file.path): file.shown for file in files})


def _groups(
    connection: "duckdb.DuckDBPyConnection", files: Sequence[SourceFile], nulls: Sequence[str]
) -> Iterator[tuple[str, list[SourceFile]]]:
    """Neighbours that one reader can take, so that a thousand small files are one scan."""
    for key, neighbours in groupby(files, lambda file: (file.format, _shape(file))):
        group = list(neighbours)
        yield _reader(key[0], key[1], [str(file.path) for file in group], nulls), group


def _shape(file: SourceFile) -> Any:
    return header_of(file) if file.format == "csv" else file.path


def _reader(format: str, shape: Any, paths: list[str], nulls: Sequence[str]) -> str:
    named = f"filename = {literal(FILE_COLUMN)}"
    if format == "parquet":
        return f"read_parquet({literal(paths)}, {named}, hive_partitioning = false)"
    if format == "jsonl":
        return (
            f"read_json({literal(paths)}, {named}, format = 'newline_delimited', sample_size = -1, "
            "convert_strings_to_integers = false)"
        )
    texts = dict.fromkeys(shape.names, "VARCHAR")
    nullstr = f"nullstr = {literal(list(nulls))}, " if nulls else ""
    return (
        f"read_csv({literal(paths)}, {named}, auto_detect = false, header = true, delim = {literal(shape.delimiter)}, "
        f"quote = '\"', escape = '\"', {nullstr}columns = {literal(texts)})"
    )


def _describe(
    connection: "duckdb.DuckDBPyConnection", reader: str, file: SourceFile
) -> list[tuple[str, str]]:
    try:
        with translated(reader):
            rows = connection.execute(f"describe select * from {reader}").fetchall()
    except SqlFailed as error:
        raise unreadable(file.shown, error) from None
    return [(str(row[0]), str(row[1])) for row in rows]


def _said(described: dict[str, str], *, text: bool) -> dict[str, tuple[str, Any]]:
    said: dict[str, tuple[str, Any]] = {}
    for name, kind in described.items():
        column = quoted(name)
        if text:
            said[name] = (column, None)
            continue
        for pattern, sql, means in _SAYS:
            if re.fullmatch(pattern, kind):
                said[name] = (sql.format(c=column), means)
                break
        else:
            said[name] = (f"{column}::varchar", "foreign")
    return said


def unreadable(shown: str, error: SqlFailed) -> DataRefused:
    """A file that the engine cannot read, in a line."""
    line = re.search(r"(?:CSV Error on Line: |in line )(\d+)", error.message)
    where = f"{shown}: line {line.group(1)}" if line else shown
    if counts := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", error.message):
        return DataRefused(
            f"{where} has {counts.group(2)} fields, the header has {counts.group(1)}",
            remedy="mend the line; was the file cut off while it was being written?",
        )
    if "unicode" in error.message or "utf-8" in error.message:
        return DataRefused(f"{where} is not UTF-8", remedy=f"convert it: iconv -f LATIN1 -t UTF-8 {shown}")
    if "unterminated quote" in error.message:
        return DataRefused(f"{where} opens a quote that never closes", remedy="mend the line")
    first = error.message.split("\n", 1)[0]
    return DataRefused(f"{where} cannot be read: {first}", remedy="mend the file, or write it anew")
