"""`Blocks` over the row groups of Parquet files, such as `Tables.files` names for a version of a Delta table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trimtab.api.errors import InputRefused, SurroundingsFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from trimtab.features.columns import Array

MIXED_ROWS = 262_144


class ParquetBlocks:
    """Rows of Parquet files, one block a row group.

    Memory holds what is mixed at a time, three times: the group that is learned from, the next one, and its making.

    Args:
        files: in the order of the table's rows.
        columns: that are read; the others cost nothing.
        made: matrix and target of some rows.
        chosen: which of all rows are wanted, shape (rows,); None for all.
        mixed_rows: about so many are mixed; at least the rows of one row group.

    Raises:
        InputRefused: a file is gone: the version that named it has been vacuumed.
        SurroundingsFailed: a file cannot be read.
    """

    def __init__(
        self,
        files: Sequence[str],
        columns: Sequence[str],
        made: "Callable[[pa.Table], tuple[Array, Array]]",
        chosen: "Array | None" = None,
        mixed_rows: int = MIXED_ROWS,
    ) -> None:
        self._columns, self._made = list(columns), made
        self._groups: list[tuple[str, int]] = []
        self._masks: list[Array | None] = []
        counts: list[int] = []
        at = largest = 0
        for file in files:
            with _readable(file):
                metadata = _open(file).metadata
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group).num_rows
                mask = None if chosen is None else chosen[at : at + rows]
                kept = rows if mask is None else int(np.count_nonzero(mask))
                at, largest = at + rows, max(largest, rows)
                if kept:
                    self._groups.append((file, group))
                    self._masks.append(None if kept == rows else mask)
                    counts.append(kept)
        self.counts: Sequence[int] = counts
        self.mixed = max(1, mixed_rows // max(1, largest))

    def read(self, block: int) -> "tuple[Array, Array]":
        file, group = self._groups[block]
        with _readable(file):
            table = _open(file).read_row_group(group, columns=self._columns, use_threads=False)
        mask = self._masks[block]
        return self._made(table if mask is None else table.filter(mask))


def _open(file: str) -> "pa.parquet.ParquetFile":
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, memory_map=False, pre_buffer=False)


@contextmanager
def _readable(file: str) -> Iterator[None]:
    """What fails in reading a file, as a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputRefused(
            f"{Path(file).name} of the table is gone: the version that named it has been vacuumed",
            remedy="run again, so that the newest version is learned from",
        ) from error
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise SurroundingsFailed(f"{file}: cannot be read ({error})") from error
