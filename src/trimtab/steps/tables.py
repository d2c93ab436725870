"""Build: tables by SQL over versions of sources and of other tables; each commit records what it read.

The SQL runs on one thread over rows in a fixed order, and its result is sorted by all columns, so that the same
versions give the same bits; sums of floating point numbers included.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import SQL_TYPES, quoted
from trimtab.ports.engine import Engine, Session, SqlFailed
from trimtab.ports.tables import Content, Pointer, Tables
from trimtab.steps.content import sums
from trimtab.steps.order import SqlRefused, TableSql, ordered, refused
from trimtab.steps.until import mount_until

_BROUGHT_TO: Final[tuple[tuple[str, ColumnType], ...]] = (
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"FLOAT|DOUBLE|DECIMAL\(.*\)", "number"),
    (r"BOOLEAN", "boolean"),
    (r"VARCHAR|UUID|ENUM\(.*\)", "string"),
    (r"TIMESTAMP WITH TIME ZONE", "timestamp"),
    (r"DATE", "date"),
)


@dataclass(frozen=True, slots=True)
class TableBuilt:
    """One table, as it now stands.

    Attributes:
        version, rows, digest: of the table.
        reads: what it was built of, by name.
        committed: whether there is a new version; without one nothing had changed.
    """

    table: str
    version: int
    rows: int
    digest: str
    reads: Mapping[str, Pointer]
    committed: bool

    @property
    def pointer(self) -> Pointer:
        """To all rows of the version."""
        return Pointer(self.table, self.version, self.rows, self.digest)


def build(
    sql: Mapping[str, TableSql], sources: Mapping[str, Pointer], *, engine: Engine, tables: Tables,
    times: Mapping[str, str] | None = None, until: datetime | None = None,
) -> dict[str, TableBuilt]:  # fmt: skip
    """Bring each table up to what its SQL says of the sources.

    Args:
        sql: by table.
        sources: rows of each source, by the name that SQL uses.
        times: event-time column by source, where it has one: rows at or after `until` are not read.

    Raises:
        SqlRefused: SQL that fails, names nothing known, reads in a circle, or answers a type that no table
            holds; with file and line.
        SurroundingsFailed: the disk or the memory does not suffice.
    """
    built: dict[str, TableBuilt] = {}
    with engine.session(until=until, repeatable=True) as session:
        cuts = {name: mount_until(session, tables, name, pointer, (times or {}).get(name), until)
                for name, pointer in sources.items()}  # fmt: skip
        for name, reads in ordered(session, sql, sources).items():
            read = {one: sources[one] if one in sources else built[one].pointer for one in reads}
            cut = {one: cuts[one] for one in reads if cuts.get(one)}
            built[name] = _build(name, sql[name], read, cut, session, tables, until)
            session.mount(name, built[name].pointer)
    return built


def _build(
    name: str, sql: TableSql, reads: Mapping[str, Pointer], cuts: Mapping[str, str | None],
    session: Session, tables: Tables, until: datetime | None,
) -> TableBuilt:  # fmt: skip
    held = tables.head(name)
    recipe = _recipe(sql, reads, cuts, until)
    if held is not None and held.metadata.get("recipe") == recipe:
        return TableBuilt(name, held.version, held.rows, held.digest, reads, committed=False)
    columns = _materialised(sql, session)
    content = sums(session, "built", columns)
    digest = content.digest(columns)
    if held is not None and held.digest == digest:
        return TableBuilt(name, held.version, held.rows, held.digest, reads, committed=False)
    metadata: dict[str, Any] = {
        "step": "build", "recipe": recipe, "sql": hashlib.sha256(sql.text.encode()).hexdigest(), "path": sql.path,
        "reads": {one: pointer.to_json() for one, pointer in reads.items()}, "cuts": dict(cuts), "order": None,
        "until": until.isoformat() if until else None,
    }  # fmt: skip
    batches = session.stream("select * from built")
    made = tables.overwrite(name, Content(columns, batches, content.rows, digest, metadata))
    return TableBuilt(name, made.version, made.rows, made.digest, reads, committed=True)


def _recipe(
    sql: TableSql, reads: Mapping[str, Pointer], cuts: Mapping[str, str | None], until: datetime | None
) -> str:
    """Digest of all that the result depends on."""
    said = {
        "sql": sql.text,
        "reads": {one: [pointer.digest, pointer.filter] for one, pointer in reads.items()},
        "cuts": dict(cuts),
        "until": until.isoformat() if until and re.search(r"\buntil\b", sql.text, re.IGNORECASE) else None,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _materialised(sql: TableSql, session: Session) -> dict[str, ColumnType]:
    """Run the SQL into the temporary table `built`: our types, sorted by all columns."""
    body = sql.text.strip().rstrip(";")
    skipped = sql.text[: sql.text.index(body)].count("\n") if body else 0
    try:
        session.materialise("raw", body)
        columns = {column: brought(sql, column, kind) for column, kind in session.columns("from raw").items()}
        cast = ", ".join(
            f"{quoted(one)}::{SQL_TYPES[kind]} as {quoted(one)}" for one, kind in columns.items()
        )
        session.materialise("built", f"select {cast} from raw order by all")
        session.run("drop table raw")
    except SqlFailed as error:
        line = error.line + skipped if error.line else None
        raise refused(sql, SqlFailed(error.message, line=line, kind=error.kind)) from None
    return columns


def brought(sql: TableSql, column: str, kind: str) -> ColumnType:
    """The type that a table holds for one of the engine's.

    Raises:
        SqlRefused: a time without a zone, or a type that no table holds.
    """
    for pattern, ours in _BROUGHT_TO:
        if re.fullmatch(pattern, kind):
            return ours
    if kind.startswith("TIMESTAMP"):
        remedy = f"give it its zone: `{column} at time zone 'America/New_York'`, or make it a day: `{column}::date`"
        raise SqlRefused(sql, None, f"column '{column}' is a time without a zone", remedy)
    raise SqlRefused(
        sql, None, f"column '{column}' is {kind}, which no table holds", f"make it text: `{column}::varchar`"
    )
