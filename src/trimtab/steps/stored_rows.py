"""Rows of a features table that stay where they are stored: what train and refit learn from.

Times and labels are in memory, about 40 bytes a row with what is made of them; features are read a few rows at a
time, as often as they are asked for. Which rows stand in which block depends on the rows alone, never on how files
were written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np

from trimtab.features.columns import Array, Columns
from trimtab.features.plan import ServingPlan
from trimtab.features.point_in_time import ROW, TIME
from trimtab.ports.blocks import Blocks
from trimtab.ports.tables import NumberedRows, Pointer, Tables
from trimtab.steps.arrow_columns import column, columns
from trimtab.steps.featurize import GROUP_ROWS, LABEL
from trimtab.steps.fitting.preprocessing import Preprocessing
from trimtab.steps.learning_rows import Rows

MIXED_BLOCKS: Final = 8
MIXED_BYTES: Final = 16 << 20
KEPT_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class StoredRows(Rows):
    """Some rows of a features table.

    Attributes:
        table: all its rows.
        chosen: mask over these, of the rows that are meant.
    """

    table: NumberedRows
    chosen: Array
    times: Array | None
    labels: Array
    plan: ServingPlan
    until: datetime | None

    def taken(self, rows: Array) -> "StoredRows":
        chosen = np.zeros_like(self.chosen)
        if rows.dtype == bool:
            chosen[self.chosen] = rows
        else:
            chosen[np.flatnonzero(self.chosen)[rows]] = True
        times = None if self.times is None else self.times[rows]
        return StoredRows(self.table, chosen, times, self.labels[rows], self.plan, self.until)

    @property
    def features(self) -> Columns:
        names = [one.name for one in self.plan.outputs]
        parts = list(self.parts(names))
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def parts(self, names: Sequence[str]) -> Iterator[Columns]:
        for first in self._starts():
            yield self.part(first, names)

    def blocks(self, preprocessing: Preprocessing, target: Array) -> Blocks:
        matrices = TableMatrices(self, preprocessing, self._starts())
        return TableBlocks(matrices, target.astype(np.float32))

    def _starts(self) -> list[int]:
        """Where a block with a chosen row begins."""
        every = range(0, len(self.chosen), GROUP_ROWS)
        return [first for first in every if self.chosen[first : first + GROUP_ROWS].any()]

    def part(self, first: int, names: Sequence[str]) -> Columns:
        """The named features of the chosen rows among the table's rows [first, first + GROUP_ROWS)."""
        import pyarrow as pa

        kinds = {one.name: one.type for one in self.plan.outputs}
        table = self.table.read(first, first + GROUP_ROWS, names)
        here = self.chosen[first : first + GROUP_ROWS]
        return columns(table if here.all() else table.filter(pa.array(here)), {n: kinds[n] for n in names})


@dataclass(frozen=True, slots=True)
class TableBlocks:
    """`Blocks` of stored rows. The first that are read are kept, as far as 64 MiB reach.

    Attributes:
        matrix: of a block.
        targets: float32, of the chosen rows.
        ends: chosen rows up to the end of each block.
    """

    matrix: "TableMatrices"
    targets: Array
    kept: dict[int, Array] = field(default_factory=dict)
    ends: list[int] = field(init=False)

    def __post_init__(self) -> None:
        chosen = self.matrix.rows.chosen
        counts = [np.count_nonzero(chosen[first : first + GROUP_ROWS]) for first in self.matrix.starts]
        object.__setattr__(self, "ends", np.cumsum(counts, dtype=np.int64).tolist())

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process is sent: without what is kept."""
        return TableBlocks, (self.matrix, self.targets)

    @property
    def mixed(self) -> int:
        made = self.matrix.preprocessing
        bytes_a_block = GROUP_ROWS * 4 * (len(made.numeric) + len(made.flags) + len(made.categorical))
        return min(MIXED_BLOCKS, max(1, MIXED_BYTES // bytes_a_block))

    @property
    def counts(self) -> Sequence[int]:
        return [end - before for before, end in pairwise([0, *self.ends])]

    def read(self, block: int) -> tuple[Array, Array]:
        matrix = self.kept.get(block)
        if matrix is None:
            matrix = self.matrix(block)
            if sum(one.nbytes for one in self.kept.values()) + matrix.nbytes <= KEPT_BYTES:
                self.kept[block] = matrix
        return matrix, self.target(block)

    def target(self, block: int) -> Array:
        return self.targets[self.ends[block - 1] if block else 0 : self.ends[block]]


@dataclass(frozen=True, slots=True)
class TableMatrices:
    """Reads blocks' matrices, wherever it is sent.

    Attributes:
        starts: the first row of each block, in the table.
    """

    rows: StoredRows
    preprocessing: Preprocessing
    starts: Sequence[int]

    def __call__(self, block: int) -> Array:
        names = [one.name for one in self.rows.plan.outputs]
        return self.preprocessing.matrix(self.rows.part(self.starts[block], names))

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process is sent: where the rows are, and which are meant, but nothing of them."""
        bare = replace(self.rows, times=None, labels=np.empty(0))
        return TableMatrices, (bare, self.preprocessing, self.starts)


def stored_rows(pointer: Pointer, tables: Tables) -> StoredRows:
    """The features table that featurize wrote."""
    metadata: Any = tables.at(pointer.table, pointer.version).metadata
    plan = ServingPlan.from_json(metadata["plan"])
    table = tables.numbered(pointer.table, pointer.version, ROW)
    timed = TIME in tables.at(pointer.table, pointer.version).columns
    labels = np.empty(table.rows)
    times = np.empty(table.rows, "datetime64[us]") if timed else None
    for first in range(0, table.rows, GROUP_ROWS):
        part = table.read(first, first + GROUP_ROWS, [LABEL, *([TIME] if timed else [])])
        labels[first : first + GROUP_ROWS] = column(part.column(LABEL), "number")
        if times is not None:
            times[first : first + GROUP_ROWS] = column(part.column(TIME), "timestamp")
    until = metadata["until"]
    return StoredRows(
        table,
        np.ones(table.rows, bool),
        times,
        labels,
        plan,
        datetime.fromisoformat(until) if until else None,
    )
