"""Point-in-time reads of Delta tables with DuckDB; the one reader behind Feast's SDK and materialisation."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from trimtab.adapters.object_store import here, options, reached
from trimtab.features.plan import PlannedView
from trimtab.features.point_in_time import as_of_sql, latest_sql, quoted

EXAMPLES = "trimtab_asked"


@dataclass(frozen=True, slots=True)
class DeltaAddress:
    """A Delta table.

    Attributes:
        path: of this machine, or an address in a bucket.
        version: None for the newest.
    """

    path: str
    version: int | None = None


def as_of(
    examples: pa.Table,
    views: Sequence[PlannedView],
    tables: Mapping[str, DeltaAddress],
    key_kinds: dict[str, str],
) -> pa.Table:
    """The views' columns for each example, in the order of `examples`: one row each, nulls where none is found.

    Args:
        examples: with `trimtab_row` (0, 1, …), `trimtab_time` (for views with a time) and the keys.
        tables: address by view.
        key_kinds: string or number, by key column.
    """
    with _connected(views, tables) as connection:
        connection.register(EXAMPLES, examples)
        return connection.sql(as_of_sql(views, key_kinds, EXAMPLES)).to_arrow_table()


def latest(
    view: PlannedView, table: DeltaAddress, key_kinds: dict[str, str], before: datetime | None
) -> pa.Table:
    """Each key's newest row known before `before`: k0…, `trimtab_time` (if the view has a time), the columns."""
    before_us = None if before is None else round(before.astimezone(UTC).timestamp() * 1e6)
    with _connected([view], {view.name: table}) as connection:
        return connection.sql(latest_sql(view, key_kinds, before_us)).to_arrow_table()


def key_kinds_of(table: DeltaAddress, keys: Sequence[str]) -> dict[str, str]:
    """string or number, by key column, as the table holds them."""
    types = {field.name: str(field.type) for field in _opened(table).schema().fields}
    return {key: "string" if "string" in types[key] else "number" for key in keys}


def _opened(table: DeltaAddress) -> DeltaTable:
    with reached(table.path):
        return DeltaTable(table.path, version=table.version, storage_options=options(table.path) or None)


@contextmanager
def _connected(
    views: Sequence[PlannedView], tables: Mapping[str, DeltaAddress]
) -> "Iterator[duckdb.DuckDBPyConnection]":
    with duckdb.connect(":memory:") as connection, tempfile.TemporaryDirectory(prefix="as-of-") as folder:
        connection.execute("set TimeZone = 'UTC'")
        for view in views:
            held = _opened(tables[view.name])
            files = here(sorted(held.file_uris()), Path(folder))
            if files:
                quoted_files = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
                connection.execute(
                    f"create view {quoted(view.name)} as "
                    f"select * from read_parquet([{quoted_files}], hive_partitioning = false)"
                )
            else:
                connection.register(view.name, pa.schema(held.schema().to_arrow()).empty_table())
        yield connection
