"""Data frames in, the same kind out: pandas, polars and Arrow, by the Arrow PyCapsule interface."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trimtab.api.errors import DataRefused, InputRefused
from trimtab.features.columns import Array, Kind

if TYPE_CHECKING:
    import pyarrow as pa


def as_arrow(data: Any) -> "pa.Table":
    """What was given, as an Arrow table.

    Raises:
        InputRefused: it is no table; names its type.
        DataRefused: a column mixes types, or two have one name.
    """
    import pyarrow as pa

    if isinstance(data, Mapping):
        table = _made(lambda: pa.table(dict(data)))
    elif hasattr(data, "__arrow_c_stream__"):
        table = _made(lambda: pa.table(data))
    elif hasattr(data, "__arrow_c_array__"):
        table = _made(lambda: pa.table(pa.record_batch(data)))
    else:
        raise InputRefused(
            f"a {type(data).__name__} is no table",
            remedy="give a pandas or polars DataFrame, an Arrow table, or a dict of lists",
        )
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise DataRefused(f"the table has two columns '{twice[0]}'", remedy="rename one of them")
    return table


def like(data: Any, table: "pa.Table") -> Any:
    """`table` as the kind that `data` is; a pandas frame keeps its index, a dict holds NumPy arrays."""
    kind = type(data).__module__.partition(".")[0]
    if kind == "pandas":
        frame = table.to_pandas()
        frame.index = data.index
        return frame
    if kind == "polars":
        import polars  # type: ignore[import-not-found]  # here because the caller gave a polars frame

        return polars.from_arrow(table)
    if isinstance(data, Mapping):
        return {name: table.column(name).to_numpy() for name in table.column_names}
    return table


def columns_of(
    table: "pa.Table", kinds: Mapping[str, Kind], optional: Mapping[str, Kind]
) -> dict[str, Array]:
    """The named columns as trimtab.features has them, shape (rows,) each; others are left.

    Args:
        kinds: columns that must be there.
        optional: columns that are taken if they are there.

    Raises:
        DataRefused: one is missing, or holds another kind; names it.
    """
    lacking = [name for name in kinds if name not in table.column_names]
    if lacking:
        raise DataRefused(
            f"the table lacks {', '.join(repr(name) for name in lacking)}",
            remedy=f"the model takes {', '.join(kinds)}; give nulls where a value is not known",
        )
    wanted = {**kinds, **{name: kind for name, kind in optional.items() if name in table.column_names}}
    return {name: _column(table.column(name), name, kind) for name, kind in wanted.items()}


def _column(values: "pa.ChunkedArray", name: str, kind: Kind) -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    from trimtab.steps.arrow_columns import column

    held = values.type
    if pa.types.is_dictionary(held):
        values = values.cast(held.value_type)
    if kind == "timestamp" and pa.types.is_timestamp(held) and held.tz is None:
        raise DataRefused(
            f"column '{name}' holds times without a zone",
            remedy=f"say which: df['{name}'] = df['{name}'].dt.tz_localize('UTC')",
        )
    target = {"number": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
    try:
        return column(pc.cast(values, target.get(kind, pa.timestamp("us", tz="UTC")), safe=False), kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataRefused(
            f"column '{name}' holds {held}, which is no {kind}: {str(error).splitlines()[0]}",
            remedy=f"give it as a {kind}",
        ) from None


def _made(make: Any) -> "pa.Table":
    import pyarrow as pa

    try:
        return make()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise DataRefused(
            f"the table cannot be read: {str(error).splitlines()[0]}", remedy="give each column one type"
        ) from None
