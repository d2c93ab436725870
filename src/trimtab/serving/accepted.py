"""What a model takes: a request's fields compared with the serving plan, as columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.features import ServingPlan
from trimtab.features.columns import Array, Kind
from trimtab.serving.values import DATATYPES, SENT, RequestRefused, column
from trimtab.serving.wire import Asked


@dataclass(frozen=True, slots=True)
class Rows:
    """A request as columns.

    Attributes:
        columns: by field name, shape (rows,); of finished features, the features.
        rows: how many.
        finished: whether `columns` are finished features.
        keys: the example key of each row, its parts joined by "|"; None where the request did not give it.
        times_us: event time of each row in µs since 1970 UTC; None where the request did not give it.
    """

    columns: Mapping[str, Array]
    rows: int
    finished: bool
    keys: list[str | None] | None
    times_us: list[int | None] | None


class Accepted:
    """The fields that a plan's model takes.

    A request gives (a) the plan's inputs, (b) these and columns of views, which replace their look-up, or
    (c) finished features. The example key's columns, and in (c) the time, are optional in each.
    """

    def __init__(self, plan: ServingPlan) -> None:
        self._time = plan.time
        self._key = plan.key
        self._inputs: dict[str, Kind] = {field.name: field.type for field in plan.inputs}
        self._features: dict[str, Kind] = {field.name: field.type for field in plan.outputs}
        self._views: dict[str, Kind] = {
            column.name: column.type for view in plan.views for column in view.columns
        }

    def rows(self, asked: Asked) -> Rows:
        """The request's columns.

        Raises:
            RequestRefused: a field is missing, unknown, or of another type; the message names it.
        """
        needed = self._features if asked.finished else self._inputs
        optional: Mapping[str, Kind] = {} if asked.finished else self._views
        columns: dict[str, Array] = {}
        times: Array | None = None
        for name, field in asked.fields.items():
            kind = needed.get(name) or optional.get(name)
            if kind is None:
                if name in self._key:
                    continue
                if name != self._time:
                    raise self._unknown(name, asked.finished)
                kind = "timestamp"
            if field.datatype is not None and field.datatype not in DATATYPES[kind]:
                raise RequestRefused(
                    f"input '{name}' has datatype {field.datatype[:20]}; it is a {kind}: send {SENT[kind]}"
                )
            values = column(name, kind, field.values)
            if name == self._time:
                times = values
            if name in needed or name in optional:
                columns[name] = values
        if len(columns) < len(needed) or not needed.keys() <= columns.keys():
            missing = ", ".join(f"'{name}'" for name in needed if name not in columns)
            raise RequestRefused(f"input {missing} is missing; send null where a value is not known")
        return Rows(columns, asked.rows, asked.finished, self._keys(asked), _micros(times))

    def _unknown(self, name: str, finished: bool) -> RequestRefused:
        takes = self._features if finished else self._inputs
        hint = " with 'features': true" if finished else ""
        return RequestRefused(f"input '{name[:80]}' is unknown; the model takes{hint} {', '.join(takes)}")

    def _keys(self, asked: Asked) -> list[str | None] | None:
        if not self._key or any(name not in asked.fields for name in self._key):
            return None
        parts = [
            [_text(name, row, v) for row, v in enumerate(asked.fields[name].values)] for name in self._key
        ]
        if len(parts) == 1:
            return [part or None for part in parts[0]]
        return ["|".join(row) if all(row) else None for row in zip(*parts, strict=True)]


def _text(name: str, row: int, value: Any) -> str:
    """A key's value as text; "" where it is missing."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return str(int(value)) if value == int(value) else repr(value)
    raise RequestRefused(f"input '{name}', row {row}: a key is a string or a number")


def _micros(times: Array | None) -> list[int | None] | None:
    if times is None:
        return None
    micros: list[int | None] = times.view(np.int64).tolist()
    lost = np.isnat(times)
    return [None if gone else t for t, gone in zip(micros, lost, strict=True)] if lost.any() else micros
