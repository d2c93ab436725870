"""Two sketches of one grid on the same cells: what every measure of drift reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch.categories import CategorySketch
from trimtab.sketch.errors import GridsDiffer
from trimtab.sketch.numbers import NumberSketch

OTHERS: Final = ""  # the label of all categories that are not counted by name
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and a current column, rows by cell.

    Attributes:
        reference, current: rows, shape (cells,), same cells in the same order; ascending in value for numbers
            (infinite rows in the outer cells), by descending reference for categories. Missing rows are left out.
        low, high: least and greatest value of each cell, shape (cells,); equal where a cell holds one value;
            both empty for categories.
        centre, scale: the reference's median and its spread, the unit of distances.
        labels: the category of each cell; empty for numbers.
        complete: False when either side holds categories beyond those that it counts.
        rows_per_unit: rows that weigh as one independent row (the design effect); None where it is not
            known, and then no p-value can be given.
    """

    reference: Floats
    current: Floats
    low: Floats
    high: Floats
    centre: float = 0.0
    scale: float = 1.0
    labels: tuple[str, ...] = ()
    complete: bool = True
    rows_per_unit: float | None = None

    @classmethod
    def of(
        cls,
        reference: NumberSketch | CategorySketch,
        current: NumberSketch | CategorySketch,
        rows_per_unit: float | None = None,
    ) -> "Pair":
        """Raises GridsDiffer unless both were counted on one grid."""
        if reference.grid.grid_id != current.grid.grid_id:
            raise GridsDiffer(reference.grid.column, reference.grid.grid_id, current.grid.grid_id)
        if isinstance(reference, CategorySketch):
            assert isinstance(current, CategorySketch)  # one grid, one kind
            return _categories(reference, current, rows_per_unit)
        assert isinstance(current, NumberSketch)
        return _numbers(reference, current, rows_per_unit)

    @classmethod
    def of_counts(
        cls, reference: Sequence[float], current: Sequence[float], rows_per_unit: float | None = 1.0
    ) -> "Pair":
        """Counts on the cells 0, 1, 2, …: for trying a measure by hand."""
        q, p = np.asarray(reference, np.float64), np.asarray(current, np.float64)
        at = np.arange(len(q), dtype=np.float64)
        labels = tuple(str(cell) for cell in range(len(q)))
        return cls(q, p, at, at, labels=labels, rows_per_unit=rows_per_unit)

    @property
    def reference_rows(self) -> float:
        return float(self.reference.sum())

    @property
    def current_rows(self) -> float:
        return float(self.current.sum())

    def thinned(self) -> "Pair":
        """The pair as counts of independent rows; as it is where their worth is not known."""
        worth = self.rows_per_unit or 1.0
        if worth == 1.0:
            return self
        return replace(
            self, reference=self.reference / worth, current=self.current / worth, rows_per_unit=1.0
        )

    @property
    def middle(self) -> Floats:
        """The value that stands for each cell, in scale units from the reference's centre, shape (cells,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray((self.low / 2 + self.high / 2 - self.centre) / self.scale)

    @property
    def loose(self) -> NDArray[np.bool_]:
        """Cells that hold a range of values, not one, shape (cells,)."""
        return np.asarray(self.high > self.low)


def _numbers(reference: NumberSketch, current: NumberSketch, rows_per_unit: float | None) -> Pair:
    grid = reference.grid
    cells = np.concatenate([reference.cells, current.cells])
    cells.sort(kind="stable")  # two ascending runs: merged, not sorted
    cells = cells[np.append(True, cells[1:] != cells[:-1])] if len(cells) else cells
    low, high = grid.spans(cells)
    q, p = (_spread(sketch, cells) for sketch in (reference, current))
    if any(s.minus_inf for s in (reference, current)):
        low, high = np.append(-np.inf, low), np.append(-np.inf, high)
        q, p = np.append(reference.minus_inf, q), np.append(current.minus_inf, p)
    if any(s.plus_inf for s in (reference, current)):
        low, high = np.append(low, np.inf), np.append(high, np.inf)
        q, p = np.append(q, reference.plus_inf), np.append(p, current.plus_inf)
    return Pair(q, p, low, high, grid.centre, grid.scale, rows_per_unit=rows_per_unit)


def _spread(sketch: NumberSketch, cells: NDArray[Any]) -> Floats:
    counts = np.zeros(len(cells))
    counts[np.searchsorted(cells, sketch.cells)] = sketch.counts
    return counts


def _categories(reference: CategorySketch, current: CategorySketch, rows_per_unit: float | None) -> Pair:
    labels = list(reference.counts) + [value for value in current.counts if value not in reference.counts]
    q = np.array([reference.counts.get(label, 0) for label in labels], np.float64)
    p = np.array([current.counts.get(label, 0) for label in labels], np.float64)
    complete = reference.exact and current.exact
    if not complete:
        labels.append(OTHERS)
        q, p = np.append(q, reference.uncounted), np.append(p, current.uncounted)
    return Pair(
        q,
        p,
        np.empty(0),
        np.empty(0),
        labels=tuple(labels),
        complete=complete,
        rows_per_unit=rows_per_unit,
    )
