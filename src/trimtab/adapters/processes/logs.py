"""Log files of children: appended to by the child itself, cut by the supervisor.

The child holds the file open in append mode, so it goes on in place when the file is cut to nothing. Lines
written between the copy and the cut are lost; that is the price of no pipe that could block a child.
"""

import shutil
from pathlib import Path

ROTATE_BYTES = 16 * 2**20
TAIL_BYTES = 4096


def rotate(path: Path, limit_bytes: int = ROTATE_BYTES) -> None:
    """Keep at most the last two pieces: NAME.log and NAME.log.1."""
    try:
        if path.stat().st_size < limit_bytes:
            return
    except FileNotFoundError:
        return
    shutil.copyfile(path, path.with_name(path.name + ".1"))
    with path.open("r+b") as held:
        held.truncate(0)


def tail(path: Path, lines: int, since: int = 0) -> str:
    """The last lines that were written after byte `since`; "" if there are none."""
    try:
        with path.open("rb") as held:
            size = held.seek(0, 2)
            held.seek(max(since if since <= size else 0, size - TAIL_BYTES))
            text = held.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
