"""The label as numbers, and the task that it makes: classes become their index, missing ones NaN."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.api.errors import DataRefused
from trimtab.features.columns import Array
from trimtab.features.schema import Task

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CLASSES = 50
MAX_NUMBERED_CLASSES = 10


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of the examples.

    Attributes:
        values: class index or value, NaN where missing, shape (rows,).
        task: inferred: text, truth values and 0/1 are classes, as are up to 10 whole numbers; else a number.
        classes: in order of index; of two, the last is the positive one. Empty for regression.
    """

    values: Array
    task: Task
    classes: tuple[str, ...]


def labels_of(given: "pa.ChunkedArray", column: str) -> Labels:
    """Labels of an Arrow column.

    Raises:
        DataRefused: no label at all, a time, or text of more than 50 values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(given) == given.null_count:
        raise DataRefused(
            f"label '{column}' is missing in all {len(given)} rows",
            remedy="see examples.label.column, and its SQL",
        )
    if pa.types.is_boolean(given.type):
        return Labels(_numbers(given), "binary", ("false", "true"))
    if pa.types.is_string(given.type) or pa.types.is_large_string(given.type):
        return _text_classes(given, column)
    if not (pa.types.is_integer(given.type) or pa.types.is_floating(given.type)):
        raise DataRefused(
            f"label '{column}' is a {given.type}", remedy="give a truth value, text or a number"
        )
    values = _numbers(given)
    distinct = np.unique(values[np.isfinite(values)])
    if set(distinct.tolist()) <= {0.0, 1.0}:
        return Labels(values, "binary", ("0", "1"))
    if pa.types.is_integer(given.type) and len(distinct) <= MAX_NUMBERED_CLASSES:
        codes = np.where(np.isnan(values), np.nan, np.searchsorted(distinct, values))
        names = tuple(str(int(value)) for value in distinct)
        return Labels(codes, "multiclass" if len(names) > 2 else "binary", names)
    low, high = pc.min_max(given).as_py().values()
    if low == high:
        raise DataRefused(f"label '{column}' is {low} in every row", remedy="a label must vary to be learned")
    return Labels(values, "regression", ())


def _text_classes(given: "pa.ChunkedArray", column: str) -> Labels:
    classes = tuple(sorted(value for value in given.unique().to_pylist() if value is not None))
    if len(classes) > MAX_CLASSES:
        raise DataRefused(
            f"label '{column}' has {len(classes)} different texts, at most {MAX_CLASSES} are classes",
            remedy="is it an id? Else make it a number, or group its values in SQL",
        )
    index = {value: float(i) for i, value in enumerate(classes)}
    values = np.array([index.get(value, np.nan) for value in given.to_pylist()])
    return Labels(values, "multiclass" if len(classes) > 2 else "binary", classes)


def _numbers(given: "pa.ChunkedArray") -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.cast(given, pa.float64()).to_numpy()).astype(np.float64)
