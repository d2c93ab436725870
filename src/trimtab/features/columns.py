"""Columns: rows as one NumPy array a column, in four kinds.

| kind | dtype | missing |
|---|---|---|
| number | float64 | NaN |
| string | object (str) | "" |
| timestamp | datetime64[us], UTC | NaT |
| boolean | float64, 0 or 1 | NaN |

A dict of arrays costs 12 µs a call on one row where a data frame costs 240 to 1,100: the model server runs
the same transform as training does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal["number", "string", "timestamp", "boolean"]
KINDS: Final[tuple[Kind, ...]] = ("number", "string", "timestamp", "boolean")
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Columns: TypeAlias = Mapping[str, Array]

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "number": np.dtype(np.float64),
    "string": np.dtype(object),
    "timestamp": np.dtype("datetime64[us]"),
    "boolean": np.dtype(np.float64),
}
MISSING: Final[Mapping[str, Any]] = {
    "number": np.nan,
    "string": "",
    "timestamp": np.datetime64("NaT", "us"),
    "boolean": np.nan,
}


def missing_column(kind: Kind, rows: int) -> Array:
    """A column of `rows` missing values, shape (rows,)."""
    return np.full(rows, MISSING[kind], dtype=DTYPES[kind])


def is_missing(values: Array) -> Array:
    """Which values are missing, bool, shape (rows,), by the dtype's own rule."""
    if values.dtype == object:
        return np.equal(values, "").astype(bool)
    if values.dtype.kind == "M":
        return np.isnat(values)
    return np.isnan(values)


def row_count(columns: Columns) -> int:
    """Rows of a table of columns; 0 when there are none.

    Raises:
        ValueError: two columns differ in length.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    return next(iter(lengths.values()), 0)


def take(columns: Columns, rows: Array | slice) -> dict[str, Array]:
    """The chosen rows (indices, a mask or a slice) of every column."""
    return {name: values[rows] for name, values in columns.items()}


def concatenate(parts: Sequence[Columns]) -> dict[str, Array]:
    """Parts with the same columns, one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
