"""`NumberedRows` over Parquet files, such as those of a version of a Delta table.

Writers put row groups down in the order in which their threads are done, so files tell nothing of the rows' order:
delta-rs was seen to swap every second batch of a long table. The numbers in the rows do.

Files may lie in a bucket: of a row group only the columns that are asked for are fetched, by one request where they
lie side by side. So do the tasks of Ray Data, where they are asked for: batches of its own reader depend on which block
comes first, and its checkpoints remember rows that were written, not the row at which an epoch was cut off.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.adapters.object_store import gone_if_absent, in_bucket, opened, reached
from trimtab.api.errors import SurroundingsFailed

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group, and the least and greatest number of its rows."""

    file: str
    group: int
    least: int
    greatest: int


class ParquetRows:
    """Rows of Parquet files in the order of a column that numbers them from 0.

    Memory holds the row groups that overlap what is asked for, of the columns that are asked for.

    Args:
        files: paths, or addresses of objects.
        order: the column with the numbers.

    Raises:
        InputRefused: a file is gone: the version that named it has been vacuumed.
        SurroundingsFailed: a file cannot be read, or the numbers have gaps.
    """

    def __init__(self, files: Sequence[str], order: str) -> None:
        self._order = order
        self._remote: dict[str, pa.NativeFile] = {}
        self._metadata: dict[str, Any] = {}
        self._groups: list[_Group] = []
        self.rows = 0
        for file in files:
            with _readable(file):
                held = self._metadata[file] = self._open(file).metadata
                place = held.schema.to_arrow_schema().get_field_index(order)
            for group in range(held.num_row_groups):
                one = held.row_group(group)
                self.rows += one.num_rows
                if one.num_rows:
                    range_of = one.column(place).statistics
                    self._groups.append(_Group(file, group, range_of.min, range_of.max))

    def read(self, first: int, last: int, columns: Sequence[str]) -> "pa.Table":
        import pyarrow as pa

        wanted = [one for one in self._groups if one.least < last and one.greatest >= first]
        parts, numbers = [], []
        for one in wanted:
            with _readable(one.file):
                table = self._open(one.file).read_row_group(
                    one.group, columns=[*columns, self._order], use_threads=False
                )
            number = table.column(self._order).to_numpy()
            if one.least < first or one.greatest >= last:
                here = (number >= first) & (number < last)
                table, number = table.filter(pa.array(here)), number[here]
            parts.append(table.select(list(columns)))
            numbers.append(number)
        held = np.concatenate(numbers) if numbers else np.empty(0, np.int64)
        order = np.argsort(held)
        if not np.array_equal(held[order], np.arange(first, min(last, self.rows))):
            raise SurroundingsFailed(
                f"{Path(wanted[0].file).parent if wanted else 'the table'}: its rows are not numbered without "
                f"gaps by '{self._order}' from {first} to {last}",
                remedy="run again, so that the table is written anew",
            )
        table = pa.concat_tables(parts)
        return table if np.all(order[1:] > order[:-1]) else table.take(pa.array(order))

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent, which opens files of its own."""
        return {**self.__dict__, "_remote": {}}

    def _open(self, file: str) -> "pa.parquet.ParquetFile":
        import pyarrow.parquet as pq

        metadata = self._metadata.get(file)
        if not in_bucket(file):
            return pq.ParquetFile(file, metadata=metadata, memory_map=False, pre_buffer=False)
        if file not in self._remote:  # once: to open it is a request, for its size, that holds all threads
            self._remote[file] = opened(file)
        # neighbours come by one request, before they are decoded
        return pq.ParquetFile(self._remote[file], metadata=metadata, pre_buffer=True)


@contextmanager
def _readable(file: str) -> Iterator[None]:
    """What fails in reading a file, as a sentence."""
    try:
        with gone_if_absent(file), reached(file) if in_bucket(file) else nullcontext():
            yield
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise SurroundingsFailed(f"{file}: cannot be read ({error})") from error
