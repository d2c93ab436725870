"""One source's files into its table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trimtab.api.sources import Source
from trimtab.ports.engine import Engine, Scan, Session
from trimtab.ports.files import Files
from trimtab.ports.tables import Pointer, Tables, TableVersion
from trimtab.steps.ingest.columns import Plan, plan
from trimtab.steps.ingest.full import full
from trimtab.steps.ingest.incremental import incremental
from trimtab.steps.ingest.load import Loaded, load
from trimtab.steps.ingest.outcome import Ingested
from trimtab.steps.ingest.window import extreme, window
from trimtab.steps.refusals import ColumnTypeChanged, NoRows


def ingest(
    name: str, source: Source, *, files: Files, engine: Engine, tables: Tables, until: datetime | None = None
) -> Ingested:
    """Bring the table `name` up to what the source's files hold.

    Twice over the same files commits nothing the second time; killed at any moment, the last committed version
    stands. Types are taken from the data once, and enforced ever after.

    Args:
        until: no row whose watermark is at or after this is read (a source without a watermark knows no time).

    Raises:
        DataRefused: the files do not hold what was declared or what the table holds; says file, row and column.
        SurroundingsFailed: the disk is full or fails.
    """
    with files.opened(name, source.patterns, source.format) as found, engine.session(until=until) as session:
        scan = session.scan("source_files", found, source.nulls)
        held = tables.head(name)
        if held is not None:
            session.mount("held", Pointer(name, held.version, held.rows, held.digest))
        planned, loaded = _load(name, source, scan, session, held, until)
        shown = [file.shown for file in found]
        growing = source.load.mode == "incremental"
        if not loaded.rows and (held is None or not growing):
            cut = session.rows(f"select count(*) from {scan.alias}")[0][0]
            raise NoRows(
                name, shown, f"holds no row before {until:%Y-%m-%d %H:%M}Z" if cut else "holds no row"
            )
        metadata = {"step": "ingest", "undecided": sorted(planned.undecided), "files": _named(shown)}
        if growing:
            return incremental(name, source.load, session, tables, planned, loaded, held, metadata)
        return full(name, source.load.key, session, tables, planned, loaded, held, metadata)


def _load(
    name: str, source: Source, scan: Scan, session: Session, held: TableVersion | None, until: datetime | None
) -> tuple[Plan, Loaded]:
    """Load by types inferred from the first rows; where later ones deny these, from all rows."""
    undecided = held is None or bool(held.metadata.get("undecided"))
    newest: Any = None
    growing = source.load.mode == "incremental"
    column = source.load.watermark
    if held is not None and growing and column is not None and column in held.columns:
        newest = extreme(session, "max", "held", column, held.columns[column])
    for every_row in (False, True):
        planned = plan(name, source, scan, session, held, every_row=every_row)
        span = window(name, source, planned.types, newest, until)
        try:
            return planned, load(name, source, scan, session, planned, span, numbered=growing)
        except ColumnTypeChanged:
            if every_row or not undecided:
                raise
    raise AssertionError("the second load returns or raises")


def _named(shown: Sequence[str]) -> list[str]:
    """The first and last names of many, to be committed."""
    return list(shown) if len(shown) <= 16 else [*shown[:8], "…", *shown[-7:]]
