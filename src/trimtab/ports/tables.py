"""Versioned tables: each commit makes a version that can be read for ever, with metadata of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from trimtab.api.sources import ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

Bound = datetime | date | int | float
Columns = Mapping[str, ColumnType]


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One committed version.

    Attributes:
        columns: type by column, in the table's order.
        rows: how many.
        digest: of the content, hex: the same rows have the same digest, whatever their order or history.
        metadata: JSON that the writer committed with it.
    """

    name: str
    version: int
    columns: Columns
    rows: int
    digest: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Rows of one version of one table, named and not copied.

    Attributes:
        filter: SQL predicate over the table's columns; None for all rows.
        rows, digest: of the whole version.
    """

    table: str
    version: int
    rows: int
    digest: str
    filter: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pointer":
        """From `to_json`."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be committed.

    Attributes:
        columns: type by column.
        batches: the rows, in the order in which they are to be read back.
        rows, digest: of the whole table after the commit.
        metadata: JSON to commit with it.
        group_rows: in a row group of its files, at most; None leaves it to the store.
    """

    columns: Columns
    batches: "pa.RecordBatchReader"
    rows: int
    digest: str
    metadata: Mapping[str, Any]
    group_rows: int | None = None


class NumberedRows(Protocol):
    """The rows of one version, in the order of a column that numbers them from 0; read a few at a time."""

    @property
    def rows(self) -> int: ...

    def read(self, first: int, last: int, columns: Sequence[str]) -> "pa.Table":
        """Rows [first, last), or to the end, in their order; `first` is one of them.

        Raises SurroundingsFailed when they cannot be read, InputRefused when the version's files are gone.
        """


class Tables(Protocol):
    """Names are identifiers, or such behind a folder: `_quarantine/departures`.

    Every method raises SurroundingsFailed when the store fails, a full disk among others.
    """

    def head(self, name: str) -> TableVersion | None:
        """The last committed version; None when there is no such table."""

    def at(self, name: str, version: int) -> TableVersion:
        """One version. Raises InputRefused when there is none."""

    def names(self) -> Sequence[str]:
        """The tables that exist, sorted."""

    def address(self, name: str) -> str:
        """Where the table lies: a path, or an address of an object store."""

    def files(self, name: str, version: int, order: str | None = None) -> Sequence[str]:
        """The Parquet files of a version, sorted by the least value of column `order`, then by name."""

    def numbered(self, name: str, version: int, order: str) -> NumberedRows:
        """The rows of a version without gaps in column `order`."""

    def overwrite(self, name: str, content: Content, *, base: int | None = None) -> TableVersion:
        """Commit the content as the whole table, making the table if there is none.

        Args:
            base: version on which the content rests; SurroundingsFailed if another has been committed since.
        """

    def cut(self, name: str, column: str, value: Bound) -> Bound | None:
        """The largest bound ≤ value that splits no file when rows ≥ bound are replaced; None: no such rows.

        Small last files are taken in, so that many small commits do not leave many small files.
        """

    def replace_from(
        self, name: str, column: str, bound: Bound, content: Content, *, base: int
    ) -> TableVersion:
        """Commit with rows of `column` ≥ bound replaced by the content's batches, all of which are ≥ bound.

        Args:
            base: version on which the content rests; SurroundingsFailed if another has been committed since.
        """
