"""Does row i of transform's answer depend on row i alone? Asked by running it, and comparing bits.

The model server sees one row, or four, where training saw 300,000: a mean over the rows, a rank, a sort or a
random draw would answer otherwise there, with no error.
"""

from collections.abc import Mapping

import numpy as np

from trimtab.features.columns import Array, Columns, missing_column, row_count, take
from trimtab.features.definition import FeatureDefinition
from trimtab.features.schema import fields_of


def impurities(definition: FeatureDefinition, inputs: Columns, seed: int = 7) -> list[str]:
    """What is wrong with a transform, each a sentence; empty when nothing is.

    Runs it on no rows, on all rows, on each row alone and on the rows shuffled.

    Raises:
        FeaturesRefused: transform raised, or gave wrong shapes.
    """
    inputs = {name: _read_only(values) for name, values in inputs.items()}
    rows = row_count(inputs)
    none = definition.features({name: values[:0] for name, values in inputs.items()})
    whole = definition.features(inputs)
    found = _schema_differences(none, whole)
    if found:
        return found
    again = definition.features(inputs)
    if column := _first_difference(whole, again):
        return [f"'{column}' is another at each call: transform draws random numbers, or reads a clock"]
    blank = {name: _blank(values) for name, values in inputs.items()}
    definition.features(blank)
    order = np.random.default_rng(seed).permutation(rows)
    if column := _first_difference(take(whole, order), definition.features(take(inputs, order))):
        found.append(f"'{column}' changes when the rows are shuffled: it looks at other rows")
    for i in range(rows):
        alone = definition.features(take(inputs, slice(i, i + 1)))
        if column := _first_difference(take(whole, slice(i, i + 1)), alone):
            found.append(
                f"'{column}' of row {i} is {alone[column][0]!r} alone, but {whole[column][i]!r} among "
                f"{rows} rows: it looks at other rows"
            )
            break
    return found


def _read_only(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view


def _blank(values: Array) -> Array:
    kind = "string" if values.dtype == object else "timestamp" if values.dtype.kind == "M" else "number"
    return missing_column(kind, 1)  # type: ignore[arg-type]  # one of three kinds by construction


def _schema_differences(none: Mapping[str, Array], whole: Mapping[str, Array]) -> list[str]:
    empty, full = ({field.name: field.type for field in fields_of(columns)} for columns in (none, whole))
    if list(empty) != list(full):
        return [f"transform gives the columns {list(empty)} for no rows, but {list(full)} for many"]
    return [
        f"'{name}' is a {empty[name]} for no rows, but a {kind} for many: give the array a dtype"
        for name, kind in full.items()
        if empty[name] != kind
    ]


def _first_difference(expected: Mapping[str, Array], got: Mapping[str, Array]) -> str | None:
    """The first column whose bits differ."""
    for name, values in expected.items():
        other = got.get(name)
        if other is None or other.dtype != values.dtype or other.shape != values.shape:
            return name
        if values.dtype == object:
            if values.tolist() != other.tolist():
                return name
        elif not np.array_equal(_bits(values), _bits(other)):
            return name
    return None


def _bits(values: Array) -> Array:
    """float64 as its bits, with one NaN: a NaN's sign and payload say nothing."""
    return np.where(np.isnan(values), np.nan, values).view(np.uint64)
