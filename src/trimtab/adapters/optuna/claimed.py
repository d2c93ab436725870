"""The studies of one search, of which one process at a time draws trials: who comes after a killed one goes on."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trimtab.adapters.optuna.studies import OptunaStudies
from trimtab.api.errors import SurroundingsFailed

STUDIES: Final = "search.db"
LOCK: Final = "lock"


def claimed(folder: Path, aside: Path, say: Callable[[str], None]) -> OptunaStudies:
    """The studies in `folder`, or new ones in `aside` where another process has those.

    The lock is flock(2)'s: it goes with its process, however that ends. A machine that is gone keeps one on NFS until
    its lease has run out, a minute or two; Kubernetes takes longer to give its pods up.

    Args:
        folder: of this search alone.
        aside: a file of this process alone.
        say: is told why those in `folder` are not gone on with.

    Raises:
        SurroundingsFailed: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("ab")
    except OSError as error:
        raise SurroundingsFailed(
            f"{folder}: cannot be written ({error.strerror})", remedy="free some disk, or mend its rights"
        ) from error
    because = ""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(lock.fileno()).st_nlink:
            because = "another process has just made the very same search"
    except BlockingIOError:
        because = "another process makes the very same search"
    except OSError as error:
        because = f"the file system of {folder} locks no files ({error.strerror})"
    if because:
        lock.close()
        say(f"{because}: this one begins anew, and is not gone on with if it is killed")
        return OptunaStudies(aside)
    return OptunaStudies(folder / STUDIES, lock)
