"""One reference column, ready to be counted by any blocks of rows: what learning reads.

Numbers are held on at most 512 cells of about equal mass (KS to within 0.002), categories on their 512 heaviest
values and one cell for the rest.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.drift.windows import Windows
from trimtab.sketch import CategorySketch, Encoded, NumberSketch, Pair, Sketch
from trimtab.sketch.numbers import as_numbers
from trimtab.sketch.pair import Floats

CELLS: Final = 512


@dataclass(frozen=True, slots=True)
class Tally:
    """A column's rows as cells.

    Attributes:
        cell: each row's cell, shape (rows,); `cells` where it is missing or infinite.
        cells: how many there are.
        low, high, labels, centre, scale: as in Pair.
    """

    cell: NDArray[np.int64]
    cells: int
    low: Floats
    high: Floats
    labels: tuple[str, ...]
    centre: float
    scale: float

    def counted(self, windows: Windows) -> NDArray[np.int64]:
        """Rows by window and cell, shape (windows, cells + 1); the last column counts the missing."""
        used = windows.block >= 0
        width = self.cells + 1
        flat = np.bincount(windows.block[used] * width + self.cell[used], minlength=windows.count * width)
        return flat.reshape(windows.count, width)

    def pair(self, reference: NDArray[Any], current: NDArray[Any]) -> Pair:
        """Two rows of `counted`, without their last column, as a Pair."""
        return Pair(
            np.asarray(reference, np.float64),
            np.asarray(current, np.float64),
            self.low,
            self.high,
            self.centre,
            self.scale,
            self.labels,
        )


def tally(sketch: Sketch, column: NDArray[Any] | Encoded) -> Tally:
    """The rows that `sketch` counted, row by row."""
    if isinstance(sketch, CategorySketch):
        assert isinstance(column, Encoded)
        return _categories(sketch, column)
    assert not isinstance(column, Encoded)
    return _numbers(sketch, as_numbers(column, sketch.grid.column))


def _numbers(sketch: NumberSketch, values: NDArray[np.float64]) -> Tally:
    grid = sketch.grid
    finite = np.isfinite(values)
    if not sketch.finite:
        nothing = np.empty(0)
        return Tally(np.zeros(len(values), np.int64), 0, nothing, nothing, (), grid.centre, grid.scale)
    middle = (np.cumsum(sketch.counts) - sketch.counts / 2) / sketch.finite
    _, first, coarse_of = np.unique((middle * CELLS).astype(np.int64), return_index=True, return_inverse=True)
    low, high = grid.spans(sketch.cells)
    last = np.append(first[1:], len(low)) - 1
    table = np.zeros(grid.cells, np.int64)
    table[sketch.cells] = coarse_of
    cell = np.full(len(values), len(first), np.int64)
    cell[finite] = table[grid.cells_of(values[finite])]
    return Tally(cell, len(first), low[first], high[last], (), grid.centre, grid.scale)


def _categories(sketch: CategorySketch, column: Encoded) -> Tally:
    labels = [value for value, _ in sketch.most_common(CELLS)]
    place = {value: number for number, value in enumerate(labels)}
    beyond = len(sketch.counts) > CELLS or sketch.uncounted > 0
    if beyond:
        labels.append("")
    cells = len(labels)
    table = np.array([place.get(value, CELLS) for value in column.values] + [cells], np.int64)
    return Tally(table[column.codes], cells, np.empty(0), np.empty(0), tuple(labels), 0.0, 1.0)
