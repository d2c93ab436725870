"""Inputs of a transform: REQUEST ∪ VIEWS, from a request's fields and rows of the online store."""

from collections.abc import Sequence

import numpy as np

from trimtab.features.columns import Array, Columns, missing_column
from trimtab.features.plan import PlannedView

SEPARATOR = "\x1f"


def entity_keys(view: PlannedView, request: Columns) -> list[str | None]:
    """The online store's key of each row, by the view's `by` columns; None where a part is missing.

    A number that is whole loses its fraction ("7", not "7.0"), and parts are joined by U+001F, so that
    whoever writes a row and whoever reads it name it alike.
    """
    if len(view.by) == 1:
        return key_texts(request[view.by[0]])
    parts = [key_texts(request[column]) for column in view.by]
    return [None if None in row else SEPARATOR.join(row) for row in zip(*parts, strict=True)]


def key_texts(values: Array) -> list[str | None]:
    """Key values as text, missing ones as None."""
    if values.dtype == object:
        return [value or None for value in values.tolist()]
    return [
        None if value != value else str(int(value)) if value == int(value) else repr(value)
        for value in values.tolist()
    ]


def placed(
    view: PlannedView, found_times: Array, found: Columns, request_times: Array | None
) -> dict[str, Array]:
    """A view's rows under their input names, with those past max_age made missing.

    Args:
        found_times: datetime64[us], shape (rows,); NaT where no row was found.
        found: the online store's columns, by source name; a column that it lacks is missing throughout.
        request_times: event time of each row, datetime64[us]; None (or NaT) leaves age unchecked.
    """
    absent = np.isnat(found_times)
    if view.max_age_s is not None and request_times is not None:
        limit = np.timedelta64(round(view.max_age_s * 1e6), "us")
        absent = absent | (request_times - found_times > limit)
    all_there = not absent.any()
    columns: dict[str, Array] = {}
    for column in view.columns:
        held = found.get(column.source)
        if held is not None and all_there:
            columns[column.name] = held
            continue
        empty = missing_column(column.type, len(found_times))
        columns[column.name] = empty if held is None else np.where(absent, empty, held)
    return columns


def unknown_keys(keys: Sequence[str | None], found_times: Array) -> tuple[int, int]:
    """How many keys were null, and how many were given but not found."""
    null = sum(key is None for key in keys)
    return null, int(np.isnat(found_times).sum()) - null
