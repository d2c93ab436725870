"""A SQL engine in DuckDB's dialect, over versions of tables and over source files."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from trimtab.api.sources import ColumnType
from trimtab.ports.files import SourceFile
from trimtab.ports.tables import Pointer

if TYPE_CHECKING:
    import pyarrow as pa


FILE_COLUMN: Final = "trimtab_file"
"""In a scan: the path of the file from which a row comes."""


class SqlFailed(Exception):
    """A statement was refused or failed.

    Args:
        message: the engine's, without its excerpt of the statement.
        line: 1-based line within the statement; None where the engine names none.
        kind: "syntax", "catalog" (a table that is not there), "binder" (a column or type), or "run".
    """

    def __init__(self, message: str, *, line: int | None = None, kind: str = "run") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Scan:
    """Source files as a relation whose columns are all text or of the file's own types.

    Attributes:
        alias: name of the view: the columns, and FILE_COLUMN.
        types: type by column as the files have it; None where it is text, to be read as what it says.
        foreign: columns of a type that no table holds (a list, a struct), as text, with the engine's word for it.
        columns: columns by file, by the name that the user knows it by.
        shown: that name by path.
    """

    alias: str
    types: Mapping[str, ColumnType | None]
    foreign: Mapping[str, str]
    columns: Mapping[str, Sequence[str]]
    shown: Mapping[str, str]


class Session(Protocol):
    """One connection; its time zone is UTC. Not shared between threads. Raises SqlFailed, SurroundingsFailed."""

    def mount(self, alias: str, pointer: Pointer, where: str | None = None) -> None:
        """A view over the rows that a pointer names, `where` a further predicate."""

    def mount_arrow(self, alias: str, table: "pa.Table") -> None:
        """A view over an Arrow table in memory."""

    def scan(self, alias: str, files: Sequence[SourceFile], nulls: Sequence[str]) -> Scan:
        """A view over source files, in their order. Raises DataRefused for a file that cannot be read.

        What is wrong with a file and found only on reading its rows is raised, alike, by what reads them.
        """

    def run(self, sql: str) -> None: ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    def arrow(self, sql: str) -> "pa.Table": ...

    def stream(self, sql: str) -> "pa.RecordBatchReader": ...

    def materialise(self, name: str, query: str) -> None:
        """A temporary table of what one query answers; lines of a failure are the query's."""

    def columns(self, sql: str) -> Mapping[str, str]:
        """The engine's type of each column of a query that is not run."""

    def tables_in(self, sql: str) -> frozenset[str]:
        """Names that one SELECT reads. Raises SqlFailed for anything but one SELECT."""


class Engine(Protocol):
    def session(
        self, *, until: datetime | None = None, repeatable: bool = False
    ) -> AbstractContextManager[Session]:
        """A session.

        Args:
            until: the run's; SQL reads it as getvariable('until').
            repeatable: the same statements over the same rows give the same bits (one thread).
        """
