"""The bytes of a sketch: `TTSK`, version, kind, grid id, then a deflated body of integers and texts."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.sketch.errors import SketchUnreadable

MAGIC: Final = b"TTSK"
VERSION: Final = 1
HEADER: Final = struct.Struct("<4sB1s8s")
KINDS: Final = {"number": b"n", "category": b"c"}
LARGEST_BODY: Final = 1 << 28


def sealed(kind: str, grid_id: str, body: bytes) -> bytes:
    return HEADER.pack(MAGIC, VERSION, KINDS[kind], bytes.fromhex(grid_id)) + zlib.compress(body, 6)


def opened(data: bytes) -> tuple[str, str, bytes]:
    """Kind, grid id and body. Raises SketchUnreadable for anything that `sealed` did not write."""
    if len(data) < HEADER.size or data[:4] != MAGIC:
        raise SketchUnreadable("they do not begin with TTSK")
    _, version, letter, grid_id = HEADER.unpack_from(data)
    if version != VERSION:
        raise SketchUnreadable(f"they are of version {version}, this reads {VERSION}")
    kind = next((name for name, mark in KINDS.items() if mark == letter), None)
    if kind is None:
        raise SketchUnreadable(f"kind {letter!r} is unknown")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(data[HEADER.size :], LARGEST_BODY)
    except zlib.error as fault:
        raise SketchUnreadable(f"the body is damaged ({fault})") from None
    if not inflater.eof or inflater.unused_data:
        raise SketchUnreadable("the body is cut short or has bytes after its end")
    return kind, grid_id.hex(), body


def integers(values: Sequence[int] | NDArray[Any]) -> bytes:
    """Integers of any size below 2**63 as eight byte planes: the empty ones deflate to nothing."""
    held = np.ascontiguousarray(values, "<i8")
    return held.view(np.uint8).reshape(len(held), 8).T.tobytes()


def texts(values: Sequence[str]) -> bytes:
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    return integers([len(one) for one in encoded]) + b"".join(encoded)


class Reader:
    """Reads a body in the order in which it was written."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def integers(self, count: int) -> NDArray[np.int64]:
        planes = np.frombuffer(self.raw(8 * count), np.uint8).reshape(8, count)
        return np.ascontiguousarray(planes.T).view("<i8").reshape(count).astype(np.int64)

    def texts(self, count: int) -> list[str]:
        try:
            return [self.raw(int(size)).decode("utf-8", "surrogatepass") for size in self.integers(count)]
        except UnicodeDecodeError as fault:
            raise SketchUnreadable(f"a text is not UTF-8 ({fault})") from None

    def raw(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._body):
            raise SketchUnreadable("the body is cut short")
        part = self._body[self._at : self._at + size]
        self._at += size
        return part

    def end(self) -> None:
        if self._at != len(self._body):
            raise SketchUnreadable("bytes are left after the body")
