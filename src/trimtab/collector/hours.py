"""The features of one revision by hour of event time, sketched in bulk.

Taking an event only appends to lists. An hour that is over keeps its values, packed, if it holds fewer than
SKETCHED_FROM rows; else they go into sketches, and so does every SKETCHED_AT of a busy hour. Counts add and
merging is exact, so a span's sketch does not depend on when, or whether, its hours were sketched.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.collector.event import MOST_FEATURES, Cell, microseconds
from trimtab.sketch import Grid, Sketch, add, empty, merge

HOUR_US: Final = 3_600_000_000
SKETCHED_FROM: Final = 1_000
SKETCHED_AT: Final = 8_192  # a sketch costs its update by the call more than by the row
MOST_RAW_CELLS: Final = 8_000_000  # held while no profile has come: 64 MB


class Hour:
    """One hour's rows: `fresh` lists, `packed` arrays, and sketches of what is no longer kept.

    A feature's packed array is float64, or objects where it holds texts.
    """

    __slots__ = ("fresh", "packed", "raw_rows", "sketched")

    def __init__(self) -> None:
        self.fresh: dict[str, list[Cell]] = {}
        self.packed: dict[str, NDArray[Any]] = {}
        self.sketched: dict[str, Sketch] = {}
        self.raw_rows = 0

    def pack(self) -> None:
        for name, values in self.fresh.items():
            column = packed(values)
            held = self.packed.get(name)
            self.packed[name] = column if held is None else joined([held, column])
        self.fresh = {}

    def sketch(self, grids: Mapping[str, Grid]) -> None:
        """Count what is raw on the grids and let it go, with the features that no grid knows."""
        for name, grid in grids.items():
            parts = [self.packed[name]] if name in self.packed else []
            if name in self.fresh:
                parts.append(as_array(self.fresh[name]))
            if parts:
                self.sketched[name] = filled(self.sketched.get(name) or empty(grid), joined(parts))
        self.packed = {}
        self.fresh = {}
        self.raw_rows = 0


class Hours:
    """Hours by number (µs since the epoch // HOUR_US); `grids` is empty until the profile comes."""

    def __init__(self) -> None:
        self.grids: Mapping[str, Grid] = {}
        self.unsketched_rows = 0
        self.refused_features = 0
        self._hours: dict[int, Hour] = {}
        self._open: set[int] = set()
        self._names: set[str] = set()
        self._raw_cells = 0

    def add(self, time_us: int, rows: int, features: Mapping[str, Sequence[Cell]]) -> None:
        number = time_us // HOUR_US
        hour = self._hours.get(number)
        if hour is None:
            self._close_open()
            hour = self._hours[number] = Hour()
        if not self.grids and self._raw_cells + rows * len(features) > MOST_RAW_CELLS:
            self.unsketched_rows += rows
            return
        self._open.add(number)
        fresh = hour.fresh
        for name, values in features.items():
            held = fresh.get(name)
            if held is not None:
                held.extend(values)
            elif name in self._names or self._admit(name):
                fresh[name] = list(values)
        hour.raw_rows += rows
        self._raw_cells += rows * len(features)
        if hour.raw_rows >= SKETCHED_AT and self.grids:
            hour.sketch(self.grids)

    def _admit(self, name: str) -> bool:
        if len(self._names) >= MOST_FEATURES:
            self.refused_features += 1
            return False
        self._names.add(name)
        return True

    def _close_open(self) -> None:
        """A new hour begins: those before it are most likely over."""
        for number in self._open:
            hour = self._hours[number]
            if self.grids and hour.raw_rows >= SKETCHED_FROM:
                hour.sketch(self.grids)
            else:
                hour.pack()
        self._open.clear()

    def _pack_open(self) -> None:
        for number in self._open:
            self._hours[number].pack()
        self._open.clear()

    def learn(self, grids: Mapping[str, Grid]) -> None:
        """The profile has come: hours that are large enough are sketched now."""
        self.grids = grids
        for hour in self._hours.values():
            if hour.raw_rows >= SKETCHED_FROM:
                hour.sketch(grids)

    def sketches(self, start_us: int, end_us: int) -> Iterator[Sketch]:
        """One sketch a grid, over the hours that begin in [start, end)."""
        self._pack_open()
        inside = [hour for number, hour in self._hours.items() if start_us <= number * HOUR_US < end_us]
        for name, grid in self.grids.items():
            raw = [hour.packed[name] for hour in inside if name in hour.packed]
            total = filled(empty(grid), joined(raw)) if raw else empty(grid)
            yield merged([total, *(hour.sketched[name] for hour in inside if name in hour.sketched)])

    def forget(self, before_us: int) -> None:
        """Drop the hours that begin before."""
        self._pack_open()
        self._hours = {number: hour for number, hour in self._hours.items() if number * HOUR_US >= before_us}


def merged(parts: list[Sketch]) -> Sketch:
    """`merge` of parts that are known to be on one grid, whichever kind it is."""
    return merge(parts)  # type: ignore[type-var]  # one grid has one kind


def packed(values: list[Cell]) -> NDArray[Any]:
    """float64 with NaN for None, or objects as soon as there is a text; equal texts share one object."""
    if str in set(map(type, values)):
        return as_array([sys.intern(value) if type(value) is str else value for value in values])
    return np.array(values, dtype=np.float64)


def as_array(values: list[Cell]) -> NDArray[Any]:
    """float64 with NaN for None, or objects as soon as there is a text."""
    if str in set(map(type, values)):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.array(values, dtype=np.float64)


def joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def filled(sketch: Sketch, column: NDArray[Any]) -> Sketch:
    """The sketch with this column; a text that is no number, in a column of numbers, counts as missing."""
    read = moment if sketch.grid.kind == "timestamp" else number
    if column.dtype == object and sketch.grid.kind != "category":
        column = np.array([read(value) for value in column.tolist()], dtype=np.float64)
    return add(sketch, column)


def number(value: Cell) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")


def moment(value: Cell) -> float:
    """Microseconds since the epoch of a text in ISO 8601, in UTC where it names no zone."""
    if not isinstance(value, str):
        return number(value)
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return float("nan")
    return float(microseconds(time if time.tzinfo else time.replace(tzinfo=UTC)))
