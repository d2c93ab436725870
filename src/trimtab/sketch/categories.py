"""The sketch of a categorical column: rows by value, exact up to 10,000 values.

Past that, the 10,000 heaviest stay (Misra & Gries 1982, merged as in Agarwal et al. 2013): each count is
then short by at most `shortfall` ≤ rows / 10,001, and the number of distinct values is estimated from a
HyperLogLog register file. Exact sketches merge exactly, in any order.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch import distinct, pack
from trimtab.sketch.errors import SketchUnreadable
from trimtab.sketch.grid import CATEGORY_LIMIT, Grid

CHUNK: Final = 500_000


@dataclass(frozen=True, slots=True)
class Encoded:
    """A categorical column as codes into its distinct values (an Arrow dictionary, a pandas Categorical).

    Attributes:
        codes: shape (rows,), integer; negative where missing.
        values: the distinct values; "" counts as missing.
    """

    codes: NDArray[np.integer[Any]]
    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class CategorySketch:
    """Counts of a column's values; adding rows or another sketch makes a new one.

    Attributes:
        counts: rows by value, by descending count, then by value.
        missing: rows that are null or "".
        uncounted: rows whose value is not among `counts`; 0 while the sketch is exact.
        shortfall: how many rows each count may be short of the truth.
        registers: HyperLogLog registers once the sketch is not exact any more, else empty.
    """

    grid: Grid
    counts: Mapping[str, int]
    missing: int = 0
    uncounted: int = 0
    shortfall: int = 0
    registers: bytes = b""

    @classmethod
    def empty(cls, grid: Grid) -> "CategorySketch":
        return cls(grid, {})

    @property
    def exact(self) -> bool:
        return not self.registers

    @cached_property
    def present(self) -> int:
        """Rows that hold a value."""
        return sum(self.counts.values()) + self.uncounted

    @property
    def rows(self) -> int:
        """All rows, the missing ones too."""
        return self.present + self.missing

    @property
    def distinct(self) -> int:
        """Distinct values: exact, or estimated within about 2 % past 10,000."""
        return len(self.counts) if self.exact else distinct.estimate(self.registers)

    def add(self, column: NDArray[Any] | Encoded) -> "CategorySketch":
        """This sketch and these rows.

        Args:
            column: shape (rows,), strings or objects (None, NaN and "" are missing), or Encoded.
        """
        if isinstance(column, Encoded):
            return self.joined(*_decoded(column))
        sketch = self
        for start in range(0, len(column), CHUNK):
            sketch = sketch.joined(*_counted(column[start : start + CHUNK]))
        return sketch

    def joined(self, counts: Mapping[str, int], missing: int = 0) -> "CategorySketch":
        """This sketch with more rows of these values."""
        return self.merged(CategorySketch(self.grid, counts, missing))

    def merged(self, other: "CategorySketch") -> "CategorySketch":
        """Both together; the caller has seen that their grids are one."""
        total = Counter(self.counts)
        for value, times in other.counts.items():
            total[value] += times
        uncounted = self.uncounted + other.uncounted
        shortfall = self.shortfall + other.shortfall
        registers = b""
        if not self.exact or not other.exact or len(total) > CATEGORY_LIMIT:
            registers = distinct.united(
                self.registers or distinct.registers(self.counts),
                other.registers or distinct.registers(other.counts),
            )
        ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
        if len(ranked) > CATEGORY_LIMIT:
            cut = ranked[CATEGORY_LIMIT][1]
            kept = [(value, times - cut) for value, times in ranked[:CATEGORY_LIMIT] if times > cut]
            uncounted += sum(total.values()) - sum(times for _, times in kept)
            shortfall += cut
            ranked = kept
        return CategorySketch(
            self.grid, dict(ranked), self.missing + other.missing, uncounted, shortfall, registers
        )

    def most_common(self, count: int) -> list[tuple[str, int]]:
        """The values with the most rows, heaviest first."""
        return list(islice(self.counts.items(), count))

    def to_bytes(self) -> bytes:
        """Compact and versioned."""
        head = [self.missing, self.uncounted, self.shortfall, len(self.registers), len(self.counts)]
        body = pack.integers(head) + self.registers
        body += pack.integers(list(self.counts.values())) + pack.texts(list(self.counts))
        return pack.sealed("category", self.grid.grid_id, body)

    @classmethod
    def from_body(cls, grid: Grid, body: bytes) -> "CategorySketch":
        """What `to_bytes` packed. Raises SketchUnreadable where the bytes do not add up."""
        reader = pack.Reader(body)
        missing, uncounted, shortfall, size, held = reader.integers(5).tolist()
        if size not in (0, distinct.REGISTERS):
            raise SketchUnreadable(f"{size} registers instead of {distinct.REGISTERS}")
        registers = reader.raw(size)
        times = reader.integers(held).tolist()
        counts = dict(zip(reader.texts(held), times, strict=True))
        reader.end()
        if len(counts) != held or min(times, default=1) < 1:
            raise SketchUnreadable("its values repeat or hold no rows")
        return cls(grid, counts, missing, uncounted, shortfall, registers)


def encode(column: NDArray[Any]) -> Encoded:
    """A column of strings or objects as codes; None, NaN and "" get the code −1."""
    held = column.tolist()
    code_of: dict[Any, int] = {}
    codes: dict[str, int] = {}
    for value in dict.fromkeys(held):
        absent = value is None or value == "" or value != value
        code_of[value] = -1 if absent else codes.setdefault(str(value), len(codes))
    return Encoded(np.fromiter(map(code_of.__getitem__, held), np.int64, len(held)), list(codes))


def _decoded(column: Encoded) -> tuple[dict[str, int], int]:
    codes = column.codes
    held = codes[codes >= 0] if len(codes) and codes.min() < 0 else codes
    missing = len(codes) - len(held)
    times = np.bincount(held, minlength=len(column.values))
    counts: dict[str, int] = {}
    for code in np.flatnonzero(times).tolist():
        value = column.values[code]
        if value == "" or value is None:
            missing += int(times[code])
        else:
            counts[str(value)] = counts.get(str(value), 0) + int(times[code])
    return counts, missing


def _counted(column: NDArray[Any]) -> tuple[dict[str, int], int]:
    counts: dict[str, int] = {}
    missing = 0
    for value, times in Counter(column.tolist()).items():
        if value is None or value == "" or value != value:
            missing += times
        else:
            text = value if isinstance(value, str) else str(value)
            counts[text] = counts.get(text, 0) + times
    return counts, missing
