"""What a table's content is, as a digest that does not depend on the order of rows.

Each row is written as JSON, a list of texts, and hashed to 128 bits (MD5: a checksum, no guard against an enemy); the
halves are added modulo 2⁶⁴ (AdHash, Bellare & Micciancio 1997). So the digest of a table after an upsert is
that of the old one, less the rows replaced, plus the new ones: nobody reads the whole table again.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from trimtab.ports.dialect import quoted
from trimtab.ports.engine import Session
from trimtab.ports.tables import Columns

_MODULUS: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Sums:
    """A multiset of rows: how many, and the sums of their hashes' halves."""

    rows: int
    low: int
    high: int

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.rows + other.rows, (self.low + other.low) % _MODULUS, (self.high + other.high) % _MODULUS
        )

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(
            self.rows - other.rows, (self.low - other.low) % _MODULUS, (self.high - other.high) % _MODULUS
        )

    def digest(self, columns: Columns) -> str:
        """Of these rows under these columns, hex."""
        said = json.dumps([list(columns.items()), self.rows, self.low, self.high])
        return hashlib.sha256(said.encode()).hexdigest()

    def to_json(self) -> list[int]:
        return [self.rows, self.low, self.high]

    @classmethod
    def from_json(cls, data: Any) -> "Sums":
        return cls(*data)


def sums(session: Session, relation: str, columns: Columns) -> Sums:
    """Those of a relation's rows."""
    row = ", ".join(f"{quoted(name)}::varchar" for name in columns)
    found = session.rows(
        f"select count(*), coalesce(sum((hash & {_MODULUS - 1}::uhugeint)::ubigint), 0), "
        "coalesce(sum((hash >> 64)::ubigint), 0) "
        f"from (select md5_number(to_json([{row}])::varchar) as hash from {relation})"
    )[0]
    return Sums(int(found[0]), int(found[1]) % _MODULUS, int(found[2]) % _MODULUS)
