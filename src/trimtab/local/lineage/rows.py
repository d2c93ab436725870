"""The rows behind a prediction: its key's in the examples and features tables, and those that its views had for it."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.api.errors import TrimtabError
from trimtab.api.project import Project
from trimtab.api.provenance import DataVersion, Provenance
from trimtab.features.plan import PlannedView, ServingPlan
from trimtab.local.lineage.logged import Logged
from trimtab.local.lineage.node import Node
from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import Session, SqlFailed
from trimtab.ports.tables import Pointer
from trimtab.steps.inputs import ID

HELD = "held"
Row = Mapping[str, Any]


def row_nodes(
    logged: Logged, made: Provenance, plan: ServingPlan, project: Project, tables: DeltaTables, scratch: Path
) -> tuple[Node, ...]:
    """A node a row. A row that the model's own table versions lack, since it is newer, is sought in today's.

    Args:
        made, plan: of the model that answered.
        scratch: folder for what SQL spills.
    """
    read = {name: made.version(key) for name, key in made.features.reads.items()}
    with DuckEngine(tables, scratch=scratch).session() as session:
        learned = _kept(made.features, partial(_by_id, name=logged.id, session=session))
        example = _kept(
            read.get(project.examples_table),
            partial(_example, project=project, name=logged.id, session=session, tables=tables),
        )
        fields: dict[str, Any] = {**logged.features, **(example.facts.get("values", {}) if example else {})}
        views = [
            _kept(
                read.get(view.name),
                partial(_viewed, view=view, fields=fields, logged=logged, session=session, until=made.until),
            )
            for view in plan.views
        ]
    return tuple(one for one in (example, learned, *views) if one is not None)


def _kept(held: DataVersion | None, look: Callable[[DataVersion], Node | None]) -> Node | None:
    """What is found in a version; that it is gone, where its files were removed."""
    if held is None:
        return None
    try:
        return look(held)
    except (TrimtabError, SqlFailed) as error:
        because = str(error).splitlines()[0]
        told = {"table": held.table, "version": held.version}
        return Node(
            "row", f"unknown in {held.key}", {**told, "because": f"this version cannot be read: {because}"}
        )


def _by_id(held: DataVersion, name: str, session: Session) -> Node | None:
    """The features that the model learned from of this very row."""
    session.mount(HELD, _pointer(held))
    for values in _selected(session, f"{ID} = {literal(name)}"):
        return Node("row", f"{name} in {held.key}", {"table": held.table, "version": held.version, "values": values,
                                                     "learned": True})  # fmt: skip
    return None


def _example(
    held: DataVersion, project: Project, name: str, session: Session, tables: DeltaTables
) -> Node | None:
    """The example of this key, in the version that the model read, else in the newest."""
    key = project.examples.key
    if not key:
        return None
    identity = f"concat_ws('|', {', '.join(f'{quoted(column)}::varchar' for column in key)})"
    versions = [held.version]
    head = tables.head(held.table)
    if head is not None and head.version != held.version:
        versions.append(head.version)
    for version in versions:
        session.mount(HELD, Pointer(held.table, version, 0, ""))
        for values in _selected(session, f"{identity} = {literal(name)}"):
            facts = {
                "table": held.table,
                "version": version,
                "values": values,
                "learned": version == held.version,
            }
            return Node("row", f"{name} in {held.table}@{version}", facts)
    return None


def _viewed(
    held: DataVersion,
    view: PlannedView,
    fields: Mapping[str, Any],
    logged: Logged,
    session: Session,
    until: str,
) -> Node:
    """The row that a view had for the prediction, in the version that the model read."""
    told = {"table": held.table, "version": held.version}
    if lacking := [column for column in view.by if fields.get(column) in (None, "")]:
        return Node("row", f"none in {held.key}", {**told, "because": f"{', '.join(lacking)} is not known"})
    asked = ", ".join(f"{column} {fields[column]}" for column in view.by)
    session.mount(HELD, _pointer(held))
    same = " and ".join(f"{quoted(column)}::varchar = {literal(_text(fields[column]))}" for column in view.by)
    if view.time is None:
        then = newest = next(_selected(session, same), None)
    else:
        time = quoted(view.time)
        before = f"{time}::timestamptz <= {literal(logged.at)}"
        then = next(_selected(session, f"{same} and {before} order by {time} desc limit 1"), None)
        stored = (
            f"{time}::timestamptz < {literal(until)}::timestamptz"  # what the run put into the online store
        )
        newest = next(_selected(session, f"{same} and {stored} order by {time} desc limit 1"), None)
    row, because = _seen(view, then, newest, logged)
    facts = told if row is None else {**told, "values": row}
    return Node("row", f"{asked} in {held.key}", {**facts, "because": because})


def _seen(view: PlannedView, then: Row | None, newest: Row | None, logged: Logged) -> tuple[Row | None, str]:
    """Of the row as of a prediction's time and the newest one, the one whose values the model saw; and what to say.

    An online store holds one row a key, the newest: a request for a time before it is answered by that row too.
    """
    if then is not None and _agrees(view, then, logged) is not False and not _age_over(view, then, logged):
        return then, ""
    if newest is not None and newest != then and _agrees(view, newest, logged):
        return newest, "the online store held this row, which is newer than the prediction's time"
    if then is None:
        return None, "there was none at that time"
    if over := _age_over(view, then, logged):
        return then, f"older than its max_age, so it counted as missing: {over / 3600:.1f} h"
    return then, "the model saw other values: the request, the store or features.py gave them"


def _agrees(view: PlannedView, row: Row, logged: Logged) -> bool | None:
    """Whether the features of a view's own names hold a row's values; None where no feature has such a name."""
    pairs = [
        (row[column.source], logged.features[column.name])
        for column in view.columns
        if column.name in logged.features
    ]
    return all(_alike(held, seen) for held, seen in pairs) if pairs else None


def _alike(held: Any, seen: Any) -> bool:
    if isinstance(held, int | float) and isinstance(seen, int | float):
        return math.isclose(held, seen, rel_tol=1e-6)
    return bool((held or None) == (seen or None))


def _age_over(view: PlannedView, row: Row, logged: Logged) -> float:
    """A row's age in seconds if it is past max_age at a prediction's time, else 0."""
    if view.time is None or view.max_age_s is None:
        return 0.0
    at = datetime.fromisoformat(row[view.time])
    age = (logged.at - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds()  # a date begins in UTC
    return age if age > view.max_age_s else 0.0


def _selected(session: Session, where: str) -> Iterator[Row]:
    """Rows of the mounted table, as JSON values."""
    for row in session.arrow(f"select * from {HELD} where {where}").to_pylist():
        yield {name: _json(value) for name, value in row.items()}


def _text(value: Any) -> str:
    """A key as SQL writes it: the log holds each number as a fraction."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _pointer(held: DataVersion) -> Pointer:
    return Pointer(held.table, held.version, held.rows, held.digest)
