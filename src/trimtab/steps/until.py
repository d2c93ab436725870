"""No step reads a row at or after a run's `until`."""

from datetime import datetime

from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import Session
from trimtab.ports.tables import Pointer, Tables


def mount_until(
    session: Session, tables: Tables, alias: str, pointer: Pointer, time: str | None, until: datetime | None
) -> str | None:
    """Mount the rows of a pointer that lie before `until`; returns `until` if that leaves rows out.

    Args:
        time: the column that says when a row happened; without one, or if it holds no times, all rows are mounted.
    """
    session.mount(alias, pointer)
    kind = tables.at(pointer.table, pointer.version).columns.get(time) if time else None
    if time is None or until is None or kind not in ("timestamp", "date"):
        return None
    late = f"{quoted(time)}::timestamptz >= {literal(until)}"
    if not session.rows(f"select exists (select 1 from {quoted(alias)} where {late})")[0][0]:
        return None
    session.mount(alias, pointer, where=f"({late}) is not true")
    return until.isoformat()
