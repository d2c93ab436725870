"""An incremental load: rows of the window are put into the table by key; what they do not touch stays as it is.

The table lies in the order of (watermark, key), whatever the steps in which it grew: the same rows are read
back in the same order, so what is built of them is the same to the bit.
"""

from collections.abc import Mapping
from typing import Any

from trimtab.api.sources import ColumnType, Load
from trimtab.ports.dialect import SQL_TYPES, listed, literal, quoted
from trimtab.ports.engine import Session
from trimtab.ports.tables import Content, Tables, TableVersion
from trimtab.steps.content import Sums, sums
from trimtab.steps.ingest.columns import Plan
from trimtab.steps.ingest.load import ROW, Loaded, keyed
from trimtab.steps.ingest.outcome import Ingested
from trimtab.steps.ingest.window import extreme


def incremental(
    name: str, rules: Load, session: Session, tables: Tables, plan: Plan, loaded: Loaded,
    held: TableVersion | None, metadata: dict[str, Any],
) -> Ingested:  # fmt: skip
    """Put `incoming` into the table, which is mounted as `held` if there is one."""
    assert rules.watermark is not None
    key = listed(rules.key)
    session.materialise(
        "latest",
        f"select * exclude ({ROW}) from incoming "
        f"qualify row_number() over (partition by {key} order by {ROW} desc) = 1",
    )
    superseded = loaded.rows - int(session.rows("select count(*) from latest")[0][0])
    order = listed([rules.watermark, *(one for one in rules.key if one != rules.watermark)])
    metadata = {**metadata, "order": rules.watermark}
    same_shape = (
        held is not None
        and dict(held.columns) == dict(plan.types)
        and held.metadata.get("order") == rules.watermark
    )
    if held is None or not same_shape:
        done = _anew(name, rules, session, tables, plan.types, held, metadata, order)
    else:
        done = _upsert(name, rules, session, tables, held, metadata, order)
    version, added, changed = done
    return Ingested(
        name, version.version, version.rows, version.digest, loaded.rows, added, changed, superseded,
        loaded.nulled, committed=held is None or version.version != held.version,
    )  # fmt: skip


def _upsert(
    name: str,
    rules: Load,
    session: Session,
    tables: Tables,
    held: TableVersion,
    metadata: dict[str, Any],
    order: str,
) -> tuple[TableVersion, int, int]:
    """Replace the part of the table that changes. Answers the version, and rows added and changed."""
    assert rules.watermark is not None
    columns = list(held.columns)
    same_key = keyed(rules.key, "h", "l")
    session.materialise(
        "met", f"select h.* from held h where exists (select 1 from latest l where {same_key})"
    )
    session.materialise(
        "changes",
        f"select l.* from latest l where not exists (select 1 from met h where {keyed(columns, 'h', 'l')})",
    )
    session.materialise(
        "replaced", f"select h.* from met h where exists (select 1 from changes l where {same_key})"
    )
    new = sums(session, "changes", held.columns)
    if not new.rows:
        return held, 0, 0
    old = sums(session, "replaced", held.columns)
    kind = held.columns[rules.watermark]
    least = extreme(session, "min", "(from changes union all by name from replaced)", rules.watermark, kind)
    assert least is not None
    cut = tables.cut(name, rules.watermark, least)
    bound = least if cut is None else min(least, cut)
    content = Sums.from_json(held.metadata["sums"]) - old + new
    batches = session.stream(
        f"select {listed(columns)} from ("
        f"select h.* from held h where {quoted(rules.watermark)} >= {literal(bound)} "
        f"and not exists (select 1 from replaced l where {same_key}) "
        f"union all by name from changes) order by {order}"
    )
    metadata = {**metadata, "sums": content.to_json()}
    made = Content(held.columns, batches, content.rows, content.digest(held.columns), metadata)
    return (
        tables.replace_from(name, rules.watermark, bound, made, base=held.version),
        new.rows - old.rows,
        old.rows,
    )


def _anew(
    name: str, rules: Load, session: Session, tables: Tables, types: Mapping[str, ColumnType],
    held: TableVersion | None, metadata: dict[str, Any], order: str,
) -> tuple[TableVersion, int, int]:  # fmt: skip
    """Write the whole table: its first version, or one with other columns than the last."""
    columns = listed(list(types))
    kept = changed = 0
    session.materialise("whole", f"select {columns} from latest")
    if held is not None:
        old = ", ".join(_reshaped(column, kind, held) for column, kind in types.items())
        session.materialise("reshaped", f"select {old} from held")
        met = f"select 1 from latest l where {keyed(rules.key, 'h', 'l')}"
        same = f"select 1 from latest l where {keyed(list(types), 'h', 'l')}"
        counted = f"select count(*) from reshaped h where exists ({met}) and not exists ({same})"
        changed = int(session.rows(counted)[0][0])
        session.run(f"insert into whole select * from reshaped h where not exists ({met})")
        kept = held.rows
    content = sums(session, "whole", types)
    digest = content.digest(types)
    if held is not None and held.digest == digest and held.metadata.get("order") == rules.watermark:
        return held, 0, 0
    batches = session.stream(f"select {columns} from whole order by {order}")
    metadata = {**metadata, "sums": content.to_json()}
    made = tables.overwrite(
        name, Content(types, batches, content.rows, digest, metadata), base=held.version if held else None
    )
    return made, content.rows - kept, changed


def _reshaped(column: str, kind: ColumnType, held: TableVersion) -> str:
    if column not in held.columns:
        return f"null::{SQL_TYPES[kind]} as {quoted(column)}"
    if held.columns[column] == kind:
        return quoted(column)
    return f"try_cast({quoted(column)}::varchar as {SQL_TYPES[kind]}) as {quoted(column)}"
