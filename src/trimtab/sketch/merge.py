"""What all sketches can do: be made, filled, merged, written and read, whatever their column holds."""

from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from trimtab.sketch import pack
from trimtab.sketch.categories import CategorySketch, Encoded
from trimtab.sketch.errors import ColumnNotNumeric, GridsDiffer, SketchUnreadable
from trimtab.sketch.grid import Grid
from trimtab.sketch.numbers import NumberSketch

Sketch: TypeAlias = NumberSketch | CategorySketch
Column: TypeAlias = NDArray[Any] | Encoded
S = TypeVar("S", NumberSketch, CategorySketch)


def empty(grid: Grid) -> Sketch:
    """The sketch of no rows."""
    return CategorySketch.empty(grid) if grid.kind == "category" else NumberSketch.empty(grid)


def add(sketch: Sketch, column: Column) -> Sketch:
    """The sketch with these rows; numbers given for a category count as their text.

    Raises:
        ColumnNotNumeric: texts were given for a column of numbers.
    """
    if isinstance(sketch, CategorySketch):
        return sketch.add(column)
    if isinstance(column, Encoded):
        raise ColumnNotNumeric(sketch.grid.column)
    return sketch.add(column)


def merge(sketches: Iterable[S]) -> S:
    """All rows of all of them.

    Raises:
        GridsDiffer: they were not counted on one grid.
        ValueError: there is none.
    """
    parts = iter(sketches)
    total = next(parts, None)
    if total is None:
        raise ValueError("no sketch to merge: begin with empty(grid)")
    for part in parts:
        if part.grid.grid_id != total.grid.grid_id:
            raise GridsDiffer(part.grid.column, total.grid.grid_id, part.grid.grid_id)
        total = total.merged(part)
    return total


def from_bytes(data: bytes, grid: Grid) -> Sketch:
    """The sketch that `to_bytes` wrote.

    Raises:
        SketchUnreadable: the bytes are damaged or of another version.
        GridsDiffer: they were counted on another grid than this one.
    """
    kind, grid_id, body = pack.opened(data)
    if grid_id != grid.grid_id:
        raise GridsDiffer(grid.column, grid.grid_id, grid_id)
    if (kind == "category") != (grid.kind == "category"):
        raise SketchUnreadable(f"a {kind} sketch on a {grid.kind} grid")
    return CategorySketch.from_body(grid, body) if kind == "category" else NumberSketch.from_body(grid, body)
