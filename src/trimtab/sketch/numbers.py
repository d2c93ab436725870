"""The sketch of a numeric or timestamp column: rows a cell, and the missing and infinite ones apart."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch import compiled, pack
from trimtab.sketch.errors import ColumnNotNumeric, SketchUnreadable
from trimtab.sketch.grid import Grid

CHUNK: Final = 65_536  # rows a pass at least: what fits the second-level cache
DENSE_FROM: Final = 4_096  # rows from which counting into every cell beats sorting


@dataclass(frozen=True, slots=True, eq=False)
class NumberSketch:
    """Counts of a column's values by cell; adding rows or another sketch makes a new one.

    Attributes:
        cells: cells that hold rows, ascending, shape (held,), uint32.
        counts: rows in each of them, ≥ 1, shape (held,), int64.
        missing, plus_inf, minus_inf: rows that are NaN (or NaT), +inf, −inf.
    """

    grid: Grid
    cells: NDArray[np.uint32]
    counts: NDArray[np.int64]
    missing: int = 0
    plus_inf: int = 0
    minus_inf: int = 0

    @classmethod
    def empty(cls, grid: Grid) -> "NumberSketch":
        return cls(grid, np.empty(0, np.uint32), np.empty(0, np.int64))

    @property
    def finite(self) -> int:
        """Rows that hold a finite number."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows, the missing ones too."""
        return self.finite + self.missing + self.plus_inf + self.minus_inf

    def add(self, column: NDArray[Any]) -> "NumberSketch":
        """This sketch and these rows. A timestamp column takes datetime64 or float64 microseconds.

        Args:
            column: shape (rows,); any numeric, boolean or datetime64 type.
        """
        values = as_numbers(column, self.grid.column)
        finite = np.isfinite(values)
        missing = plus = minus = 0
        if not finite.all():
            missing = int(np.isnan(values).sum())
            plus, minus = int((values == np.inf).sum()), int((values == -np.inf).sum())
            values = values[finite]
        cells, counts = _counted(self.grid, values)
        added = replace(
            self,
            missing=self.missing + missing,
            plus_inf=self.plus_inf + plus,
            minus_inf=self.minus_inf + minus,
        )
        return added.joined(cells, counts)

    def joined(self, cells: NDArray[np.uint32], counts: NDArray[np.int64]) -> "NumberSketch":
        """This sketch with more rows in these cells (ascending, no cell twice)."""
        if not len(cells):
            return self
        if not len(self.cells):
            return replace(self, cells=cells, counts=counts)
        every = np.concatenate([self.cells, cells])
        order = np.argsort(every, kind="stable")
        every, summed = every[order], np.concatenate([self.counts, counts])[order]
        first = np.flatnonzero(np.concatenate([[True], every[1:] != every[:-1]]))
        return replace(self, cells=every[first], counts=np.add.reduceat(summed, first))

    def merged(self, other: "NumberSketch") -> "NumberSketch":
        """Both together; the caller has seen that their grids are one."""
        both = replace(
            self,
            missing=self.missing + other.missing,
            plus_inf=self.plus_inf + other.plus_inf,
            minus_inf=self.minus_inf + other.minus_inf,
        )
        return both.joined(other.cells, other.counts)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NumberSketch)
            and self.grid.grid_id == other.grid.grid_id
            and (self.missing, self.plus_inf, self.minus_inf)
            == (other.missing, other.plus_inf, other.minus_inf)
            and np.array_equal(self.cells, other.cells)
            and np.array_equal(self.counts, other.counts)
        )

    def __hash__(self) -> int:
        return hash((self.grid.grid_id, self.rows, self.missing))

    def to_bytes(self) -> bytes:
        """Compact and versioned: delta-coded cells and counts, byte planes, deflated."""
        head = [self.missing, self.plus_inf, self.minus_inf, len(self.cells)]
        steps = np.diff(self.cells.astype(np.int64), prepend=0)
        body = pack.integers(head) + pack.integers(steps) + pack.integers(self.counts)
        return pack.sealed("number", self.grid.grid_id, body)

    @classmethod
    def from_body(cls, grid: Grid, body: bytes) -> "NumberSketch":
        """What `to_bytes` packed. Raises SketchUnreadable where the bytes do not add up."""
        reader = pack.Reader(body)
        missing, plus, minus, held = reader.integers(4).tolist()
        cells, counts = np.cumsum(reader.integers(held)), reader.integers(held)
        reader.end()
        if held and (cells[-1] >= grid.cells or (np.diff(cells) <= 0).any() or counts.min() < 1):
            raise SketchUnreadable("its cells are not those of its grid")
        return cls(grid, cells.astype(np.uint32), counts, missing, plus, minus)


def as_numbers(column: NDArray[Any], name: str) -> NDArray[np.float64]:
    """A column as float64, NaN where missing; datetime64 as microseconds since the epoch, UTC.

    Raises:
        ColumnNotNumeric: a value is neither a number nor missing.
    """
    if column.dtype.kind == "M":
        micros = column.astype("datetime64[us]")
        values = micros.view(np.int64).astype(np.float64)
        values[np.isnat(micros)] = np.nan
        return values
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError) as fault:
        raise ColumnNotNumeric(name, str(fault)) from None


def _counted(grid: Grid, values: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    if len(values) < DENSE_FROM:
        found, times = np.unique(grid.cells_of(values), return_counts=True)
        return found.astype(np.uint32), times.astype(np.int64)
    if compiled.worthwhile(grid, len(values)):
        dense = compiled.dense(grid, values)
    else:
        dense = np.zeros(grid.cells, np.int64)
        chunk = max(CHUNK, grid.cells)
        for start in range(0, len(values), chunk):
            dense += np.bincount(grid.cells_of(values[start : start + chunk]), minlength=grid.cells)
    held = np.flatnonzero(dense)
    return held.astype(np.uint32), dense[held]
