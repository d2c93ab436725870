"""A row as bytes: layout id (uint32), then a fixed part (8 bytes a number, timestamp or boolean), then texts.

Little-endian. A number and a boolean are float64, a timestamp int64 µs since the epoch (NaT: the least
int64). A text is its length in bytes (uint32) and UTF-8. Equal rows have equal bytes, whoever packs them.
"""

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trimtab.features.columns import DTYPES, MISSING, Array, Columns, Kind

_HEAD = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a packed row, in order of name: the order in which a table has them says nothing."""

    kinds: tuple[tuple[str, Kind], ...]
    fixed: struct.Struct = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        codes = "".join("q" if kind == "timestamp" else "d" for _, kind in self.kinds if kind != "string")
        object.__setattr__(self, "fixed", struct.Struct("<I" + codes))

    @classmethod
    def of(cls, kinds: Mapping[str, Kind]) -> "Layout":
        return cls(tuple(sorted(kinds.items())))

    @property
    def flat(self) -> tuple[tuple[str, Kind], ...]:
        """Columns of the fixed part."""
        return tuple(item for item in self.kinds if item[1] != "string")

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.kinds if kind == "string")

    def number(self, view: str) -> int:
        """The layout's id, a hash of view and columns: two stores give one row the same bytes."""
        return zlib.crc32(f"{view}\0{self.to_json()}".encode())

    def to_json(self) -> str:
        return json.dumps(self.kinds, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Layout":
        return cls(tuple((name, kind) for name, kind in json.loads(text)))


def pack(layout: Layout, layout_id: int, columns: Columns, rows: Array) -> list[bytes]:
    """The chosen rows (indices) as bytes, without a loop over columns of a row."""
    table = np.zeros(
        len(rows),
        dtype=[("", "<u4"), *(("", "<i8" if kind == "timestamp" else "<f8") for _, kind in layout.flat)],
    )
    names = table.dtype.names or ()
    table[names[0]] = layout_id
    for slot, (name, kind) in zip(names[1:], layout.flat, strict=True):
        values = columns[name][rows]
        table[slot] = values.astype(DTYPES[kind]).view(np.int64) if kind == "timestamp" else _one_nan(values)
    raw, width = table.tobytes(), table.dtype.itemsize
    heads = [raw[start : start + width] for start in range(0, len(raw), width)]
    if not layout.texts:
        return heads
    tails = [[_text(value) for value in columns[name][rows].tolist()] for name in layout.texts]
    return [b"".join(parts) for parts in zip(heads, *tails, strict=True)]


def unpacker(layout: Layout) -> Callable[[bytes], list[Any]]:
    """A function from a packed row to its values, fixed part first, then texts."""
    fixed, texts = layout.fixed, len(layout.texts)
    if not texts:
        return lambda packed: list(fixed.unpack(packed)[1:])

    def unpack(packed: bytes) -> list[Any]:
        values = list(fixed.unpack_from(packed)[1:])
        at = fixed.size
        for _ in range(texts):
            (length,) = _HEAD.unpack_from(packed, at)
            at += 4 + length
            values.append(packed[at - length : at].decode())
        return values

    return unpack


def layout_id(packed: bytes) -> int:
    return int(_HEAD.unpack_from(packed)[0])


def columns_of(kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Any] | None]) -> dict[str, Array]:
    """Columns of unpacked rows; None, or a row of a layout without the column, gives a missing value."""
    columns = {}
    for name, kind in kinds.items():
        missing = -(2**63) if kind == "timestamp" else MISSING[kind]
        values = [missing if row is None else row.get(name, missing) for row in rows]
        columns[name] = (
            np.array(values, np.int64).view(DTYPES[kind])
            if kind == "timestamp"
            else np.array(values, DTYPES[kind])
        )
    return columns


def _one_nan(values: Array) -> Array:
    return np.where(np.isnan(values), np.nan, values)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _HEAD.pack(len(encoded)) + encoded
