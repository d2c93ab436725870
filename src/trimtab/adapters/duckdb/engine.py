"""`Engine` on DuckDB: one connection in memory a session, spilling to the scratch folder."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from trimtab.adapters.duckdb.failures import translated
from trimtab.adapters.duckdb.scan import scan, unreadable
from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.object_store import here
from trimtab.ports.dialect import SQL_TYPES, literal, quoted
from trimtab.ports.engine import Scan, SqlFailed
from trimtab.ports.files import SourceFile
from trimtab.ports.tables import Pointer, Tables

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS: Final = 131_072
MEMORY: Final = "2GB"


class DuckEngine:
    """DuckDB sessions.

    Args:
        tables: whose versions are mounted. Files of a bucket are copied to `scratch` for the session's time, whole,
            so that SQL reads them as it reads those of a folder, to the same bits.
        scratch: folder in which a session spills what does not fit into memory.
        memory: bound of a session's memory, as DuckDB writes it.
    """

    def __init__(self, tables: Tables, scratch: Path, memory: str = MEMORY) -> None:
        self._tables = tables
        self._scratch = scratch
        self._memory = memory

    @contextmanager
    def session(self, *, until: datetime | None = None, repeatable: bool = False) -> Iterator["DuckSession"]:
        with scratch(self._scratch) as spill, duckdb.connect(":memory:") as connection:
            settings: dict[str, Any] = {
                "TimeZone": "UTC",
                "memory_limit": self._memory,
                "temp_directory": str(spill),
                "enable_progress_bar": False,
                "errors_as_json": True,
                "python_scan_all_frames": False,
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
            }
            if repeatable:
                settings["threads"] = 1
            for name, value in settings.items():
                connection.execute(f"set {name} = {literal(value)}")
            moment = "null::timestamptz" if until is None else literal(until)
            connection.execute(f"set variable until = {moment}")
            yield DuckSession(connection, self._tables, spill)


class DuckSession:
    """One connection. Time zone UTC; SQL sees mounted names only, no Python variables."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", tables: Tables, folder: Path) -> None:
        self._connection = connection
        self._tables = tables
        self._folder = folder
        self._shown: dict[str, str] = {}

    def mount(self, alias: str, pointer: Pointer, where: str | None = None) -> None:
        version = self._tables.at(pointer.table, pointer.version)
        held = self._tables.files(pointer.table, pointer.version, version.metadata.get("order"))
        files = here(held, self._folder)
        conditions = " and ".join(f"({one})" for one in (pointer.filter, where) if one)
        chosen = f" where {conditions}" if conditions else ""
        if files:
            body = f"select * from read_parquet({literal(list(files))}, hive_partitioning = false)"
        else:
            nulls = ", ".join(f"null::{SQL_TYPES[t]} as {quoted(c)}" for c, t in version.columns.items())
            body = f"select * from (select {nulls}) limit 0"
        self.run(f"create or replace view {quoted(alias)} as {body}{chosen}")

    def mount_arrow(self, alias: str, table: "pa.Table") -> None:
        self._connection.register(alias, table)

    def scan(self, alias: str, files: Sequence[SourceFile], nulls: Sequence[str]) -> Scan:
        found = scan(self._connection, alias, files, nulls)
        self._shown |= found.shown
        return found

    @contextmanager
    def _told(self, sql: str, offset: int = 0) -> Iterator[None]:
        """Failures as trimtab's; those of a scanned file by its name."""
        try:
            with translated(sql, offset):
                yield
        except SqlFailed as error:
            for path, shown in self._shown.items():
                if path in error.message:
                    raise unreadable(shown, error) from None
            raise

    def run(self, sql: str) -> None:
        with self._told(sql):
            self._connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._told(sql):
            return list(self._connection.execute(sql).fetchall())

    def arrow(self, sql: str) -> "pa.Table":
        with self._told(sql):
            return self._connection.sql(sql).to_arrow_table()

    def stream(self, sql: str) -> "pa.RecordBatchReader":
        with self._told(sql):
            return self._connection.sql(sql).to_arrow_reader(BATCH_ROWS)

    def materialise(self, name: str, query: str) -> None:
        """A temporary table of what one query answers; lines of a failure are the query's."""
        head = f"create or replace temp table {quoted(name)} as\n"
        with self._told(query, len(head.encode())):
            self._connection.execute(head + query)

    def columns(self, sql: str) -> Mapping[str, str]:
        with self._told(sql, len("describe ")):
            described = self._connection.execute(f"describe {sql}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}

    def tables_in(self, sql: str) -> frozenset[str]:
        answer = self._connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
        assert answer is not None
        tree = json.loads(answer[0])
        if tree["error"]:
            syntax = tree["error_type"] == "parser"
            line = None if not syntax else sql.encode()[: int(tree["position"])].count(b"\n") + 1
            message = tree["error_message"] if syntax else "only a SELECT may stand here"
            raise SqlFailed(message, line=line, kind="syntax")
        if len(tree["statements"]) != 1:
            raise SqlFailed("exactly one SELECT may stand here", kind="syntax")
        for function in _named(tree, "function_name"):
            if re.match(r"(read_|.*_scan$|glob$|parquet_|sniff_|query)", function):
                raise SqlFailed(
                    f"{function}() reads past the tables; name the file under `sources:` instead",
                    kind="catalog",
                )
        return frozenset(_named(tree, "table_name")) - frozenset(_common(tree))


def _named(node: Any, field: str) -> Iterator[str]:
    if isinstance(node, dict):
        wanted = node.get("type") == "BASE_TABLE" if field == "table_name" else True
        if wanted and isinstance(node.get(field), str):
            yield node[field]
        for value in node.values():
            yield from _named(value, field)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value, field)


def _common(node: Any) -> Iterator[str]:
    """Names of common table expressions."""
    if isinstance(node, dict):
        for entry in (node.get("cte_map") or {}).get("map", []):
            yield str(entry["key"])
        for value in node.values():
            yield from _common(value)
    elif isinstance(node, list):
        for value in node:
            yield from _common(value)
