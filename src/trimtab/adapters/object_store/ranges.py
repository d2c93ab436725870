"""One object read by several threads: each has a place of its own in it, and one at a time asks for bytes.

delta-rs' own file has one place for all, and fails when a second thread so much as asks whether it is closed.
"""

import os
import threading
from typing import Any


class Ranges:
    """A binary file, for `pyarrow.PythonFile`.

    Args:
        file: one that nobody else reads.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._size: int = file.size()
        self._reading = threading.Lock()
        self._here = threading.local()
        self.closed = False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(getattr(self._here, "place", 0))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        self._here.place = base + offset
        return self.tell()

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or to the end."""
        place = self.tell()
        left = max(0, self._size - place)
        count = left if size is None or size < 0 else min(size, left)
        with self._reading:
            self._file.seek(place)
            content = bytes(self._file.read(count)) if count else b""
        self._here.place = place + len(content)
        return content

    def close(self) -> None:
        self.closed = True
