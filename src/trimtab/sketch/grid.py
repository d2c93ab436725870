"""The grid of a column: the fixed map from its values to ordered cells.

A number goes through x' = (x − centre) / scale, subtracted in float64 (a cast before it merges timestamps),
or, where one affine map cannot resolve the column, through a piecewise-linear map over reference quantiles;
then into a bucket of 16 or 18 bits. A value that holds much of the reference is an atom with a cell of its
own, which splits its bucket in two: cell = bucket + 2 · (atoms below) + (is an atom), monotone in the value.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch.buckets import LARGEST, buckets, lower_edges
from trimtab.sketch.errors import SketchUnreadable

Kind = Literal["number", "timestamp", "category"]
CATEGORY_LIMIT: Final = 10_000
FURTHEST: Final = float(np.finfo(np.float64).max)
SPREAD: Final = (
    0.5  # a piecewise map takes the knots to [-0.5, 0.5], where 16 bits give cells of at most 0.002
)


@dataclass(frozen=True)
class Grid:
    """How one column is counted.

    Attributes:
        column: the column's name.
        kind: `number` (float64), `timestamp` (float64 microseconds since the epoch) or `category`.
        centre, scale: of the affine map; scale > 0.
        bits: 16 or 18 for numbers; 0 for categories.
        knots: reference quantiles of the piecewise map, ascending by more than 1e-300, shape (2 to 64,); else
            empty.
        atoms: values counted exactly, strictly ascending.
    """

    column: str
    kind: Kind
    centre: float = 0.0
    scale: float = 1.0
    bits: int = 0
    knots: tuple[float, ...] = ()
    atoms: tuple[float, ...] = ()
    grid_id: str = field(init=False)

    def __post_init__(self) -> None:
        spec = json.dumps(self.to_json(), sort_keys=True).encode()
        object.__setattr__(self, "grid_id", hashlib.sha256(spec).hexdigest()[:16])

    @property
    def cells(self) -> int:
        """How many cells numbers can fall into."""
        return (1 << self.bits) + 2 * len(self.atoms)

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values on the map's own scale, monotone; finite in, finite or ±inf out."""
        with np.errstate(over="ignore"):
            affine = values - self.centre
            affine /= self.scale
            if not self.knots:
                return affine
            knots, levels = self._knots, self._levels
            inside = np.interp(values, knots, levels)
            below, above = values < knots[0], values > knots[-1]
            inside[below] = levels[0] + (values[below] - knots[0]) / self.scale
            inside[above] = levels[-1] + (values[above] - knots[-1]) / self.scale
            return inside

    def cells_of(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        """Cell of each finite value, shape (rows,), monotone in the value."""
        cell = buckets(self.scaled(values), self.bits)
        if not self.atoms:
            return cell
        shift, alone, only, _ = self.tables
        at = only[cell]
        many = ~alone[cell]
        moved = shift[cell] + (values == at) + 2 * (values > at)
        if many.any():
            some = np.flatnonzero(many)
            below = np.searchsorted(self._atoms, values[some])
            hit = self._atoms[np.minimum(below, len(self._atoms) - 1)] == values[some]
            moved[some] = 2 * below + hit
        cell += moved
        return cell

    def spans(self, cells: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and greatest value of each cell, shape (cells,) each; equal for an atom."""
        cells = np.asarray(cells, np.int64)
        gap = np.searchsorted(self._atom_cells, cells)
        bucket = cells - 2 * gap
        atom = np.zeros(len(cells), bool)
        if self.atoms:
            nearest = np.minimum(gap, len(self.atoms) - 1)
            atom = self._atom_cells[nearest] == cells
            bucket[atom] = 1 << (self.bits - 1)
        last = (1 << self.bits) - 1
        low = self._unscaled(lower_edges(np.minimum(bucket, last), self.bits))
        high = self._unscaled(lower_edges(np.minimum(bucket + 1, last), self.bits))
        first, final = buckets(np.array([-LARGEST, LARGEST]), self.bits)  # hold all that lies beyond, too
        low[bucket <= first], high[bucket >= final] = -FURTHEST, FURTHEST
        if self.atoms:
            fence = np.concatenate([[-np.inf], self._atoms, [np.inf]])
            low, high = np.maximum(low, fence[gap]), np.minimum(high, fence[gap + 1])
            low[atom] = high[atom] = self._atoms[gap[atom]]
        return low, np.maximum(low, high)

    @cached_property
    def tables(self) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """By bucket: twice the atoms in lower buckets; whether it holds at most one; that atom, or inf. And all
        atoms, ascending."""
        held = np.bincount(self._atom_buckets, minlength=1 << self.bits)
        shift = (2 * (np.cumsum(held) - held)).astype(np.int32)
        only = np.full(1 << self.bits, np.inf)
        only[self._atom_buckets] = self._atoms
        return shift, held <= 1, only, self._atoms

    def to_json(self) -> dict[str, Any]:
        """Everything but the identity, which follows from it."""
        held: dict[str, Any] = {"column": self.column, "kind": self.kind}
        if self.kind != "category":
            held |= {"centre": self.centre, "scale": self.scale, "bits": self.bits}
            held |= {"knots": list(self.knots), "atoms": list(self.atoms)}
        return held

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> "Grid":
        """The grid that `to_json` described. Raises SketchUnreadable for anything else."""
        try:
            kind = held["kind"]
            if kind == "category":
                return cls(column=str(held["column"]), kind="category")
            if kind not in ("number", "timestamp") or held["bits"] not in (16, 18):
                raise SketchUnreadable(f"a grid of kind {kind!r}")
            return cls(
                column=str(held["column"]),
                kind=kind,
                centre=float(held["centre"]),
                scale=float(held["scale"]),
                bits=held["bits"],
                knots=tuple(map(float, held["knots"])),
                atoms=tuple(map(float, held["atoms"])),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise SketchUnreadable(f"its grid has no usable {fault}") from None

    def _unscaled(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            if not self.knots:
                values = self.centre + scaled * self.scale
            else:
                knots, levels = self._knots, self._levels
                values = np.interp(scaled, levels, knots)
                below, above = scaled < levels[0], scaled > levels[-1]
                values[below] = knots[0] + (scaled[below] - levels[0]) * self.scale
                values[above] = knots[-1] + (scaled[above] - levels[-1]) * self.scale
        return np.clip(values, -FURTHEST, FURTHEST)

    @cached_property
    def _knots(self) -> NDArray[np.float64]:
        return np.array(self.knots)

    @cached_property
    def _levels(self) -> NDArray[np.float64]:
        return np.linspace(-SPREAD, SPREAD, len(self.knots))

    @cached_property
    def _atoms(self) -> NDArray[np.float64]:
        return np.array(self.atoms, np.float64)

    @cached_property
    def _atom_buckets(self) -> NDArray[np.int32]:
        return buckets(self.scaled(self._atoms), self.bits)

    @cached_property
    def _atom_cells(self) -> NDArray[np.int64]:
        return self._atom_buckets.astype(np.int64) + 2 * np.arange(len(self.atoms)) + 1
