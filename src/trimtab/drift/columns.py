"""Tables as columns of NumPy: pandas, polars and Arrow come through the Arrow PyCapsule interface.

Integers, floats, booleans, decimals and durations (seconds) become float64, NaN where null; dates and timestamps
datetime64[us] in UTC; texts codes into their distinct values; a mapping of NumPy arrays stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.api.errors import DataRefused
from trimtab.sketch import Column, Encoded, encode, kind_of


class TableUnreadable(DataRefused):
    """Something that was given as a table is none, or cannot be read as one."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length.

    Attributes:
        columns: by name, in order.
        rows: of each.
        skipped: columns that no measure reads, with the reason.
        empty: columns of nulls alone, whose type is not known.
    """

    columns: Mapping[str, Column]
    rows: int
    skipped: Mapping[str, str]
    empty: tuple[str, ...] = ()


def as_table(data: object, role: str) -> Table:
    """What was given, as columns.

    Args:
        data: a mapping of names to NumPy arrays, or anything with `__arrow_c_stream__` (a DataFrame, a Table).
        role: what to call it in an error: "reference" or "current".

    Raises:
        TableUnreadable: it is neither, or a column mixes types.
    """
    if isinstance(data, Mapping):
        return _from_arrays(data, role)
    if hasattr(data, "__arrow_c_stream__"):
        return _from_arrow(data, role)
    raise TableUnreadable(
        f"the {role} is a {type(data).__name__}, not a table",
        remedy="give a pandas or polars DataFrame, an Arrow table, or a dict of NumPy arrays",
    )


def _from_arrays(data: Mapping[Any, Any], role: str) -> Table:
    columns: dict[str, Column] = {}
    skipped = {}
    for name, values in data.items():
        column = values if isinstance(values, Encoded) else np.asarray(values)
        if not isinstance(column, Encoded):
            if column.ndim != 1:
                skipped[str(name)] = f"{column.ndim} dimensions"
                continue
            if kind_of(column) == "category":
                column = encode(column)
        columns[str(name)] = column
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        raise TableUnreadable(
            f"columns of the {role} have {min(sizes)} to {max(sizes)} rows",
            remedy="give columns of one table",
        )
    return Table(columns, sizes.pop() if sizes else 0, skipped)


def _from_arrow(data: Any, role: str) -> Table:
    import pyarrow as pa

    try:
        table = pa.table(data)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as fault:
        raise TableUnreadable(
            f"the {role} cannot be read: {str(fault).splitlines()[0]}", remedy="give each column one type"
        ) from None
    columns: dict[str, Column] = {}
    skipped, empty = {}, []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise TableUnreadable(f"the {role} has two columns '{name}'", remedy="rename one of them")
        if pa.types.is_null(column.type):
            empty.append(name)
            columns[name] = np.full(len(column), np.nan)
        elif (values := _column(column)) is None:
            skipped[name] = f"type {column.type}"
        else:
            columns[name] = values
    return Table(columns, table.num_rows, skipped, tuple(empty))


def _column(column: Any) -> Column | None:
    import pyarrow as pa
    import pyarrow.types as is_

    kind = column.type
    if is_.is_dictionary(kind) and not _textual(kind.value_type):
        column, kind = column.cast(kind.value_type), kind.value_type
    if _textual(kind) or is_.is_dictionary(kind):
        return _encoded(column)
    if is_.is_timestamp(kind) or is_.is_date(kind):
        return np.asarray(column.cast(pa.timestamp("us"), safe=False).to_numpy())
    if is_.is_duration(kind):
        micros = column.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return np.asarray(micros.cast(pa.float64(), safe=False).to_numpy()) / 1e6
    if is_.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif is_.is_time(kind):
        column = column.cast(pa.time64("us"), safe=False).cast(pa.int64())
    elif not (is_.is_integer(kind) or is_.is_floating(kind) or is_.is_decimal(kind)):
        return None
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def _textual(kind: Any) -> bool:
    import pyarrow.types as is_

    return bool(is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind))


def _encoded(column: Any) -> Encoded:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    held = column.unify_dictionaries().combine_chunks()
    if isinstance(held, pa.ChunkedArray):
        held = held.chunk(0) if held.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    codes = held.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Encoded(np.asarray(codes, np.int64), [value or "" for value in held.dictionary.to_pylist()])
