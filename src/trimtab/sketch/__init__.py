"""Mergeable summaries of columns: what was seen, in kilobytes, wherever and whenever it was counted.

A `Grid` is the fixed map of one column, learned once from the reference; a `Sketch` counts rows on a grid.
Counts add, so sketches of hours, pods and days merge into exactly the sketch of the whole. A `Pair` puts two
sketches of one grid on the same cells, which is what every measure of drift reads. NumPy only.
"""

from trimtab.sketch.categories import CategorySketch, Encoded, encode
from trimtab.sketch.errors import ColumnNotNumeric, GridsDiffer, SketchUnreadable
from trimtab.sketch.grid import Grid, Kind
from trimtab.sketch.learn import kind_of, learn_grid
from trimtab.sketch.merge import Column, Sketch, add, empty, from_bytes, merge
from trimtab.sketch.numbers import NumberSketch
from trimtab.sketch.pair import Pair

__all__ = [
    "CategorySketch",
    "Column",
    "ColumnNotNumeric",
    "Encoded",
    "Grid",
    "GridsDiffer",
    "Kind",
    "NumberSketch",
    "Pair",
    "Sketch",
    "SketchUnreadable",
    "add",
    "empty",
    "encode",
    "from_bytes",
    "kind_of",
    "learn_grid",
    "merge",
]
