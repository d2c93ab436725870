"""What an ingest did."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.ports.tables import Pointer


@dataclass(frozen=True, slots=True)
class Ingested:
    """One source, as it now stands.

    Attributes:
        version, rows, digest: of the table.
        read: rows of the files within the window.
        added, changed: rows that the table did not have; rows whose values it had otherwise. A full load
            counts only rows added: it has no key to tell a change from a new row.
        superseded: rows read whose key stood again later.
        nulled: values that a declared `cast` could not convert, by column.
        committed: whether there is a new version; without one nothing had changed.
    """

    table: str
    version: int
    rows: int
    digest: str
    read: int
    added: int = 0
    changed: int = 0
    superseded: int = 0
    nulled: Mapping[str, int] = field(default_factory=dict)
    committed: bool = False

    @property
    def pointer(self) -> Pointer:
        """To all rows of the version."""
        return Pointer(self.table, self.version, self.rows, self.digest)
