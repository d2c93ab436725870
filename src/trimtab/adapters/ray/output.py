"""What processes of Ray write to their standard output and error, each line with who wrote it.

Both streams of a process are one file in the room, so that nothing is lost of one that is killed, nor of what is not
Python. Who waits reads them, a few lines a second at most, and cuts a file that has become long.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

OUTPUT: Final = "output-"
LINES: Final = 20
"""Of a process, told at a time; of more the last."""
READ_BYTES: Final = 1 << 16
LONG_BYTES: Final = 8 << 20
WIDE: Final = 500
REMEMBERED: Final = 100
NOISE: Final = ("[Gloo] Rank ",)
"""What libraries say of each connection that they make."""


def name_of_own(folder: Path, kind: str) -> str:
    """`process 1`, or the next that nobody in this room has."""
    for number in count(1):
        with suppress(FileExistsError):
            (folder / f"{OUTPUT}{kind} {number}").touch(exist_ok=False)
            break
    return f"{kind} {number}"


def to_room(folder: Path, who: str) -> None:
    """From now on what this process writes goes there.

    Args:
        who: it is, such as `worker 1`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    file = os.open(folder / f"{OUTPUT}{who}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)
    sys.stdout = os.fdopen(1, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


class Output:
    """Of all processes of a room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[Path, int] = {}
        self._last: dict[str, deque[str]] = {}

    def new(self) -> Iterator[str]:
        """Lines since it was asked last, as `worker 1: …`."""
        for path in sorted(self._folder.glob(f"{OUTPUT}*")):
            who = path.name.removeprefix(OUTPUT)
            lines, skipped = self._read(path)
            self._last.setdefault(who, deque(maxlen=REMEMBERED)).extend(lines)
            left_out = max(0, len(lines) - LINES)
            if left_out or skipped:
                yield f"{who}: ({left_out or 'many'} lines left out)"
            yield from (f"{who}: {line[:WIDE]}" for line in lines[-LINES:])

    @property
    def last(self) -> list[str]:
        """What they wrote last, as far as it was asked for."""
        return [line for lines in self._last.values() for line in lines]

    def _read(self, path: Path) -> tuple[list[str], bool]:
        """Whole lines, and whether some were passed over."""
        place, end = self._places.get(path, 0), path.stat().st_size
        start = max(place, end - READ_BYTES)
        with path.open("rb") as file:
            file.seek(start)
            held = file.read(READ_BYTES)
        whole = held.rfind(b"\n") + 1 or (len(held) if len(held) == READ_BYTES else 0)
        self._places[path] = start + whole
        if start + whole > LONG_BYTES and start + whole == path.stat().st_size:
            os.truncate(path, 0)
            self._places[path] = 0
        texts = held[:whole].decode(errors="backslashreplace").split("\n")
        shown = (
            text.rstrip("\r").rpartition("\r")[2].rstrip() for text in texts
        )  # of a progress bar, the last
        return [line for line in shown if line and not line.startswith(NOISE)], start > place
