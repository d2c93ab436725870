"""Materialisation: each key's newest row, from the tables to the online store. Feast is not needed for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trimtab.adapters.feast.as_of_reader import DeltaAddress, latest
from trimtab.features.columns import Array, Kind
from trimtab.features.inputs import entity_keys
from trimtab.features.plan import PlannedView
from trimtab.features.point_in_time import TIME
from trimtab.ports.online import OnlineStore


def materialise(
    views: Sequence[PlannedView],
    tables: Mapping[str, DeltaAddress],
    key_kinds: dict[str, str],
    store: OnlineStore,
    before: datetime | None = None,
) -> dict[str, int]:
    """Write the newest rows of all views; returns keys written by view. Running it twice changes nothing.

    Args:
        before: rows known at or after it are not read.
    """
    written = {}
    for view in views:
        rows = latest(view, tables[view.name], key_kinds, before)
        kinds: dict[str, Kind] = {column.source: column.type for column in view.columns}
        keys = {
            name: _values(rows.column(f"k{j}"), "string" if key_kinds[name] == "string" else "number")
            for j, name in enumerate(view.by)
        }
        times = _values(rows.column(TIME), "timestamp") if view.time else None
        columns = {name: _values(rows.column(name), kind) for name, kind in kinds.items()}
        written[view.name] = store.write(view.name, kinds, entity_keys(view, keys), times, columns)
    return written


def _values(column: pa.ChunkedArray, kind: Kind) -> Array:
    """A column as NumPy, nulls as the kind's missing value."""
    if kind == "string":
        return np.array(["" if value is None else value for value in column.to_pylist()], object)
    if kind == "timestamp":
        plain = pc.cast(column, pa.timestamp("us", tz="UTC"))
        return np.asarray(plain.to_numpy()).astype("datetime64[us]")
    return np.asarray(pc.cast(column, pa.float64()).to_numpy()).astype(np.float64)
