"""Learning a column's grid from its reference (verdicts.md 7).

Scale: interquartile range, else P95 − P5, else P99.9 − P0.1, else max |x − median|, else 1. Values that hold
at least 1 % of the reference are atoms; a column of few distinct values has only atoms. Where a cell would
still hold more than 0.002 of the rows: 18 bits, then the piecewise map over 64 quantiles.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch.grid import Grid, Kind

ATOM_SHARE: Final = 0.01
DISTINCT: Final = 1_024
CELL_SHARE: Final = 0.002
KNOTS: Final = 64
NARROWEST: Final = 1e-300
"""Knots nearer than this to each other make the map's slope overflow."""
SAMPLE: Final = 50_000


def kind_of(values: NDArray[Any]) -> Kind:
    """What a NumPy array holds: strings and objects are categories, datetimes timestamps, else numbers."""
    if values.dtype.kind == "M":
        return "timestamp"
    return "category" if values.dtype.kind in "OUST" else "number"


def learn_grid(column: str, values: NDArray[np.float64], kind: Kind) -> Grid:
    """The grid on which this reference, and whatever comes after it, is counted.

    Args:
        values: shape (rows,), NaN where missing, timestamps as microseconds since the epoch; not read for
            a category. Looks at a fixed sample of 50,000 rows where there are more.
    """
    if kind == "category":
        return Grid(column, "category")
    finite = values[np.isfinite(values)] + 0.0  # -0.0 becomes 0.0
    if not len(finite):
        return Grid(column, kind, bits=16)
    seen = np.sort(_sample(finite))
    first = np.flatnonzero(np.concatenate([[True], seen[1:] != seen[:-1]]))
    times = np.diff(np.append(first, len(seen)))
    if len(first) <= DISTINCT:
        distinct = seen[first] if len(seen) == len(finite) else np.unique(finite)
        if len(distinct) <= DISTINCT:
            return _affine(column, kind, seen, 16, distinct)
    atoms = seen[first[times >= ATOM_SHARE * len(seen)]]
    loose = seen[~np.isin(seen, atoms)] if len(atoms) else seen
    for bits in (16, 18):
        grid = _affine(column, kind, seen, bits, atoms)
        if _resolves(grid, loose, len(seen)):
            return grid
    knots = np.unique(loose[np.linspace(0, len(loose) - 1, KNOTS).astype(int)])
    knots = knots[np.diff(knots, prepend=-np.inf) > NARROWEST]
    if len(knots) < 2:
        return grid
    for bits in (16, 18):
        grid = _piecewise(column, kind, grid, knots, bits)
        if _resolves(grid, loose, len(seen)):
            break
    return grid


def _sample(finite: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(finite) <= SAMPLE:
        return finite
    return finite[np.random.default_rng(0).integers(0, len(finite), SAMPLE)]


def _resolves(grid: Grid, loose: NDArray[np.float64], rows: int) -> bool:
    ends = np.flatnonzero(np.diff(grid.cells_of(loose), append=-1))  # loose ascends, and so do its cells
    return bool(np.diff(ends, prepend=-1).max(initial=0) <= CELL_SHARE * rows)


def _affine(
    column: str, kind: Kind, ascending: NDArray[np.float64], bits: int, atoms: NDArray[np.float64]
) -> Grid:
    centre = _quantile(ascending, 0.5)
    return Grid(column, kind, centre, _scale(ascending, centre), bits, atoms=tuple(atoms.tolist()))


def _piecewise(column: str, kind: Kind, affine: Grid, knots: NDArray[np.float64], bits: int) -> Grid:
    return Grid(column, kind, affine.centre, affine.scale, bits, tuple(knots.tolist()), affine.atoms)


def _scale(ascending: NDArray[np.float64], centre: float) -> float:
    with np.errstate(over="ignore"):
        for low, high in ((0.25, 0.75), (0.05, 0.95), (0.001, 0.999)):
            spread = _quantile(ascending, high) - _quantile(ascending, low)
            if 0 < spread < np.inf:
                return spread
        furthest = float(max(ascending[-1] - centre, centre - ascending[0]))
    return furthest if 0 < furthest < np.inf else 1.0


def _quantile(ascending: NDArray[np.float64], level: float) -> float:
    return float(ascending[int(level * (len(ascending) - 1))])
