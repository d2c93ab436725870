"""A folder for the life of one use, removed even when its process was killed: by the next one."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A new empty folder under `root`, named by this process."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        owner = re.fullmatch(r"(\d+)-.*", left.name)
        if owner and not _lives(int(owner.group(1))):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
