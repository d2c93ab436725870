"""Arrow to `Columns`, by the kinds of `trimtab.features.columns`, and back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from trimtab.api.sources import ColumnType
from trimtab.features.columns import DTYPES, Array, Columns, Kind

if TYPE_CHECKING:
    import pyarrow as pa

KIND_OF: Final[Mapping[ColumnType, Kind]] = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "string": "string",
    "timestamp": "timestamp",
    "date": "timestamp",
}


def column(values: "pa.ChunkedArray", kind: Kind) -> Array:
    """One column as NumPy, nulls as the kind's missing value, shape (rows,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "string":
        coded = values.combine_chunks().dictionary_encode()
        words = np.array([*coded.dictionary.to_pylist(), ""], object)
        codes = coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(words[codes])
    if kind == "timestamp":
        plain = pc.cast(values, pa.timestamp("us", tz=getattr(values.type, "tz", None)))
        return np.asarray(plain.to_numpy()).astype("datetime64[us]")
    return np.asarray(pc.cast(values, pa.float64()).to_numpy()).astype(np.float64, copy=False)


def columns(table: "pa.Table", kinds: Mapping[str, Kind]) -> dict[str, Array]:
    """The named columns of an Arrow table."""
    return {name: column(table.column(name), kind) for name, kind in kinds.items()}


def arrow_array(values: Array) -> "pa.Array":
    """A column as Arrow: missing values null, times in UTC."""
    import pyarrow as pa

    if values.dtype == object:
        return pa.array(values, pa.string(), mask=np.equal(values, "").astype(bool))
    if values.dtype.kind == "M":
        return pa.array(values.astype(DTYPES["timestamp"]), pa.timestamp("us", tz="UTC"))
    return pa.array(values, pa.float64(), from_pandas=True)


def arrow_table(named: Columns) -> "pa.Table":
    """Columns as an Arrow table, in order."""
    import pyarrow as pa

    return pa.table({name: arrow_array(values) for name, values in named.items()})
