"""What each file of a version spans of one column, by the statistics that stand in Delta's log."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESOLUTION: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """One file.

    Attributes:
        path: relative to the table.
        least, greatest: bounds of the column; None where no column was asked for. Of times, the greatest may
            lie up to a millisecond too high: Delta keeps milliseconds.
    """

    path: str
    size_bytes: int
    least: Any = None
    greatest: Any = None


def file_spans(table: DeltaTable, column: str | None) -> list[Span]:
    """A version's files, by the least value of a column, then by name."""
    # not pa.table, which imports pandas to ask whether it was given some of its own
    adds = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
    paths, sizes = adds["path"].to_pylist(), adds["size_bytes"].to_pylist()
    if column is None:
        return sorted(map(Span, paths, sizes), key=lambda span: span.path)
    least, greatest = _values(adds[f"min.{column}"]), _values(adds[f"max.{column}"])
    if least and isinstance(least[0], datetime):
        greatest = [one + _RESOLUTION for one in greatest]
    spans = map(Span, paths, sizes, least, greatest)
    return sorted(spans, key=lambda span: (span.least, span.greatest, span.path))


def _values(column: Any) -> list[Any]:
    """As Python values; times by hand, for Arrow imports pandas to make one."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    return [_EPOCH + timedelta(microseconds=one) for one in micros]
