"""Counting a long column in one compiled pass, where Numba is installed; bit-equal to the NumPy passes.

About 2 ns a row instead of 4, and 5 instead of 12 on a column of many atoms. Loading Numba costs a second or more,
which half a billion rows repay; a process that has it loaded anyway uses it from five million.
"""

import sys
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch.buckets import LARGEST
from trimtab.sketch.grid import Grid

WORTH_LOADING_ROWS: Final = 500_000_000
WORTH_ROWS: Final = 5_000_000


def worthwhile(grid: Grid, rows: int) -> bool:
    """Whether a compiled pass over this many rows saves time, and can be had; never for piecewise grids."""
    if grid.knots or rows < (WORTH_ROWS if "numba" in sys.modules else WORTH_LOADING_ROWS):
        return False
    return _kernel() is not None


def dense(grid: Grid, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows by cell, shape (grid.cells,), of finite values on an affine grid."""
    kernel = _kernel()
    assert kernel is not None
    counts = np.zeros(grid.cells, np.int64)
    shift, alone, only, atoms = grid.tables
    kernel(values, grid.centre, grid.scale, grid.bits, shift, alone, only, atoms, LARGEST, counts)
    return counts


@cache
def _kernel() -> Any:
    try:
        import numba
    except ModuleNotFoundError:
        return None
    return numba.njit(cache=True, error_model="numpy")(_count)


def _count(values, centre, scale, bits, shift, alone, only, atoms, largest, counts):  # type: ignore[no-untyped-def]  # Numba's source
    half = np.int32(1 << (bits - 1))
    drop = np.int32(32 - bits)
    image = np.empty(1, np.float32)
    pattern = image.view(np.int32)
    for value in values:
        scaled = (value - centre) / scale
        image[0] = np.float32(min(max(scaled, -largest), largest)) + np.float32(0.0)
        top = pattern[0] >> drop
        if top < 0:
            top ^= half - np.int32(1)
        cell = top + half
        if len(atoms):
            bucket = cell
            if alone[bucket]:
                cell += shift[bucket]
                if value >= only[bucket]:
                    cell += 2 - (value == only[bucket])
            else:
                below = np.searchsorted(atoms, value)
                cell += 2 * below
                if below < len(atoms) and atoms[below] == value:
                    cell += 1
        counts[cell] += 1
