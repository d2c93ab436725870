"""SQL (DuckDB's dialect) that finds each example's rows of the views, as of the example's time.

Every example comes back once, in order: a null key, an unknown one, or a row past max_age finds nulls. Of two
rows of a table with the same key and time one is taken by its values, so that the answer never depends on the
order of a table's rows.
"""

from collections.abc import Sequence
from typing import Final

from trimtab.features.plan import PlannedView

ROW: Final = "trimtab_row"
TIME: Final = "trimtab_time"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_of_sql(views: Sequence[PlannedView], key_kinds: dict[str, str], examples: str) -> str:
    """A query of `ROW` and every view's columns under their input names, ordered by `ROW`.

    Each view is read from the relation of its own name.

    Args:
        key_kinds: kind (string or number) by key column.
        examples: relation with `ROW` (int64), `TIME` (timestamptz, when a view has a time) and the keys.
    """
    picked, joins = [f"e.{ROW}"], []
    for i, view in enumerate(views):
        fresh = None
        if view.max_age_s is not None:
            age = f"epoch_us(e.{TIME}) - epoch_us(v{i}.{TIME})"
            fresh = f"{age} <= {round(view.max_age_s * 1e6)}"
        for column in view.columns:
            value = f"v{i}.{quoted(column.name)}"
            picked.append(f"case when {fresh} then {value} end as {quoted(column.name)}" if fresh else value)
        same = " and ".join(f"e.k{i}_{j} = v{i}.k{j}" for j in range(len(view.by)))
        kind = "asof left join" if view.time else "left join"
        at = f" and e.{TIME} >= v{i}.{TIME}" if view.time else ""
        joins.append(f"{kind} ({_one_row_a_key(view, key_kinds)}) v{i} on {same}{at}")
    keys = [
        f"{_key(column, key_kinds)} as k{i}_{j}"
        for i, view in enumerate(views)
        for j, column in enumerate(view.by)
    ]
    timed = [TIME] if any(view.time for view in views) else []
    source = f"(select {', '.join([ROW, *timed, *keys])} from {quoted(examples)}) e"
    return "\n".join([f"select {', '.join(picked)}", f"from {source}", *joins, f"order by e.{ROW}"])


def latest_sql(view: PlannedView, key_kinds: dict[str, str], before_us: int | None) -> str:
    """A query of each key's latest row: k0…, `TIME` (when the view has one), columns by source name.

    Args:
        before_us: rows at or after this time, µs since the epoch, are not read; None reads all.
    """
    where = f"where epoch_us({TIME}) < {before_us}" if view.time and before_us is not None else ""
    keys = ", ".join(f"k{j}" for j in range(len(view.by)))
    latest = f"qualify row_number() over (partition by {keys} order by {TIME} desc) = 1" if view.time else ""
    columns = [f"{quoted(c.name)} as {quoted(c.source)}" for c in view.columns]
    picked = ", ".join([keys, *([TIME] if view.time else []), *columns])
    return f"select {picked} from ({_one_row_a_key(view, key_kinds)}) {where} {latest} order by {keys}"


def _one_row_a_key(view: PlannedView, key_kinds: dict[str, str]) -> str:
    """The view's table with one row a key and time."""
    keys = [f"{_key(column, key_kinds)} as k{j}" for j, column in enumerate(view.by)]
    time = [f"{quoted(view.time)}::timestamptz as {TIME}"] if view.time else []
    columns = [f"{quoted(c.source)} as {quoted(c.name)}" for c in view.columns]
    present = [f"k{j} is not null" for j in range(len(view.by))] + (
        [f"{TIME} is not null"] if view.time else []
    )
    group = ", ".join([*(f"k{j}" for j in range(len(view.by))), *([TIME] if view.time else [])])
    order = ", ".join(f"{quoted(c.name)} desc nulls last" for c in view.columns)
    return (
        f"select {group}, {', '.join(quoted(c.name) for c in view.columns)} from "
        f"(select {', '.join([*keys, *time, *columns])} from {quoted(view.name)}) "
        f"where {' and '.join(present)} "
        f"qualify row_number() over (partition by {group} order by {order}) = 1"
    )


def _key(column: str, key_kinds: dict[str, str]) -> str:
    """A key's value in the one type in which both sides compare; missing ones null."""
    if key_kinds[column] == "string":
        return f"nullif({quoted(column)}::varchar, '')"
    return f"nullif({quoted(column)}::double, 'nan'::double)"
