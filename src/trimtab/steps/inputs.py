"""REQUEST ∪ VIEWS of examples: what a transform is given, as of each example's own time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.api.errors import DataRefused, InputRefused
from trimtab.features.columns import Array, Kind
from trimtab.features.definition import FeatureDefinition, FeaturesRefused
from trimtab.features.plan import PlannedView
from trimtab.features.point_in_time import ROW, TIME, as_of_sql, quoted
from trimtab.ports.engine import Session
from trimtab.ports.tables import Columns as TableColumns
from trimtab.steps.arrow_columns import KIND_OF, columns

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = "trimtab_examples"
ID = "trimtab_id"


def view_kinds(definition: FeatureDefinition, held: Mapping[str, TableColumns]) -> dict[str, dict[str, Kind]]:
    """Kind by column of each table that the definition views.

    Raises:
        FeaturesRefused: a table is missing, or lacks a key or the time column.
    """
    kinds = {}
    for view in definition.views:
        if view.name not in held:
            raise FeaturesRefused(
                f"{definition.path}: VIEWS names the table '{view.name}', which the project does not have",
                remedy=f"add it under tables: in trimtab.yaml; there are {', '.join(sorted(held))}",
            )
        table = held[view.name]
        needed = [*view.by, *([view.time] if view.time else [])]
        if lacking := [column for column in needed if column not in table]:
            raise FeaturesRefused(
                f"{definition.path}: table '{view.name}' has no column '{lacking[0]}', which its View names",
                remedy=f"the table has {', '.join(table)}",
            )
        kinds[view.name] = {column: KIND_OF[kind] for column, kind in table.items()}
    return kinds


def check_request(definition: FeatureDefinition, table: str, held: TableColumns) -> None:
    """REQUEST's fields are columns of the examples table, of the declared types.

    Raises:
        FeaturesRefused: one is not.
    """
    for name, kind in definition.request.items():
        if name not in held:
            raise FeaturesRefused(
                f"{definition.path}: REQUEST names '{name}', which table '{table}' lacks",
                remedy=f"the table has {', '.join(held)}",
            )
        if KIND_OF[held[name]] != kind and {KIND_OF[held[name]], kind} != {"boolean", "number"}:
            raise FeaturesRefused(
                f"{definition.path}: REQUEST says '{name}' is a {kind}, but table '{table}' holds {held[name]}",
                remedy=f'write {name}="{KIND_OF[held[name]]}", or cast it in the table\'s SQL',
            )


def read_examples(
    session: Session, key: Sequence[str], time: str | None, more: Sequence[str], until: datetime | None
) -> "pa.Table":
    """Examples before `until`, in order of time and id, with `ROW`, `ID`, `TIME` and the columns asked for.

    The relation `trimtab_examples` must be mounted.

    Raises:
        DataRefused: a key is missing or comes twice, or a time is missing.
    """
    parts = [f"{quoted(column)}::varchar" for column in key]
    identity = f"concat_ws('|', {', '.join(parts)})" if key else "place_in_table::varchar"
    order = ", ".join([*([quoted(time)] if time else []), identity if key else "place_in_table"])
    at = f"{quoted(time)}::timestamptz as {TIME}, " if time else ""
    picked = ", ".join(dict.fromkeys(quoted(column) for column in more))
    before = ""
    if time and until is not None:
        before = f"where {quoted(time)} < '{until.astimezone(UTC).isoformat()}'::timestamptz"
    source = f"(select *, row_number() over () as place_in_table from {EXAMPLES})"
    place = f"row_number() over (order by {order}) - 1 as {ROW}"
    table = session.arrow(
        f"select {place}, {identity} as {ID}, {at}{picked} from {source} {before} order by {ROW}"
    )
    _check_identity(table, key, time)
    return table


def assembled(
    session: Session,
    examples: "pa.Table",
    request: Mapping[str, Kind],
    views: Sequence[PlannedView],
    timed: bool,
) -> dict[str, Array]:
    """Inputs of each example, in the order of `examples`; no row lost, none doubled.

    Args:
        examples: as `read_examples` gives, with REQUEST's columns.
        timed: the examples have a time.

    Raises:
        InputRefused: a View has a time, but the examples have none.
    """
    inputs = columns(examples, request)
    if not views:
        return inputs
    if not timed and (late := [view.name for view in views if view.time]):
        raise InputRefused(
            f"VIEWS: {late[0]} has a time, but examples.time is not stated",
            remedy="name the column that says when a prediction is made under examples.time",
        )
    keys = dict.fromkeys(column for view in views for column in view.by)
    names = list(dict.fromkeys([ROW, *([TIME] if timed else []), *keys]))
    session.mount_arrow("trimtab_asked", examples.select(names))
    found = session.arrow(as_of_sql(views, {column: request[column] for column in keys}, "trimtab_asked"))
    if found.num_rows != examples.num_rows:
        raise DataRefused(f"looking up VIEWS gave {found.num_rows} rows for {examples.num_rows} examples")
    return {**inputs, **columns(found, {c.name: c.type for view in views for c in view.columns})}


def _check_identity(table: "pa.Table", key: Sequence[str], time: str | None) -> None:
    import pyarrow.compute as pc

    if time and table.column(TIME).null_count:
        raise DataRefused(
            f"examples: {table.column(TIME).null_count} rows have no '{time}'",
            remedy="leave them out in the table's SQL, or quarantine them: {check: complete, column: …}",
        )
    if not key:
        return
    empty = pc.sum(pc.equal(table.column(ID), "")).as_py()
    if empty:
        raise DataRefused(
            f"examples: {empty} rows have no key ({', '.join(key)})", remedy="leave them out in SQL"
        )
    if pc.count_distinct(table.column(ID)).as_py() < table.num_rows:
        counts = table.column(ID).value_counts()
        worst = max(counts.to_pylist(), key=lambda item: item["counts"])
        raise DataRefused(
            f"examples: key '{worst['values']}' comes {worst['counts']} times; a key names one prediction",
            remedy="add a column to examples.key, or quarantine doubles: {check: unique, else: quarantine}",
        )
