"""A full load: the table is what the files hold."""

from collections.abc import Sequence
from typing import Any

from trimtab.ports.dialect import listed
from trimtab.ports.engine import Session
from trimtab.ports.tables import Content, Tables, TableVersion
from trimtab.steps.content import sums
from trimtab.steps.ingest.columns import Plan
from trimtab.steps.ingest.load import Loaded
from trimtab.steps.ingest.outcome import Ingested
from trimtab.steps.refusals import KeysTwice

_EXAMPLES = 3


def full(
    name: str, key: Sequence[str], session: Session, tables: Tables, plan: Plan, loaded: Loaded,
    held: TableVersion | None, metadata: dict[str, Any],
) -> Ingested:  # fmt: skip
    """Commit `incoming` as the table, if it is not what the table holds.

    Raises:
        KeysTwice: a declared key stands on two rows.
    """
    if key:
        _refuse_doubles(name, key, session)
    content = sums(session, "incoming", plan.types)
    digest = content.digest(plan.types)
    if held is not None and held.digest == digest:
        return Ingested(name, held.version, held.rows, held.digest, loaded.rows, nulled=loaded.nulled)
    metadata = {**metadata, "sums": content.to_json(), "order": None}
    batches = session.stream(f"select {listed(list(plan.types))} from incoming")
    made = tables.overwrite(name, Content(plan.types, batches, content.rows, digest, metadata))
    return Ingested(
        name,
        made.version,
        made.rows,
        made.digest,
        loaded.rows,
        content.rows,
        nulled=loaded.nulled,
        committed=True,
    )


def _refuse_doubles(name: str, key: Sequence[str], session: Session) -> None:
    columns = listed(list(key))
    doubles = f"from incoming group by {columns} having count(*) > 1"
    examples = session.rows(f"select {columns} {doubles} order by {columns} limit {_EXAMPLES}")
    if examples:
        keys = int(session.rows(f"select count(*) from (select {columns} {doubles})")[0][0])
        raise KeysTwice(name, key, keys, examples)
