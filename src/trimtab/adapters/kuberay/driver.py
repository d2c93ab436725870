"""The entrypoint of the RayJob: what drives its workers, on its head.

    python -m trimtab.adapters.kuberay.driver FOLDER

The folder is a room that who made the job sees too. The work lies there, and there it leaves word of its end; what is
to be heard on the way is called over it. The exit status is Ray's and so KubeRay's to know: 0, or that of the failure.
"""

import os
import sys
import threading
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from trimtab.adapters.kuberay.alive import wait_for_silence
from trimtab.adapters.kuberay.callbacks import BEGAN, SAY, Remote
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import ExitStatus, SurroundingsFailed, TrimtabError

SILENT_S: Final = 45.0
LOOK_S: Final = 2.0


def main(argv: list[str] | None = None, silent_s: float = SILENT_S) -> int:
    """
    Args:
        silent_s: so long after the last word of who waits it ends.

    Returns:
        The exit status.
    """
    (folder,) = argv if argv is not None else sys.argv[1:]
    room = Room(Path(folder))
    if not room.has(TASK):
        print(f"{folder} is not to be seen here", file=sys.stderr)  # noqa: T201
        return int(ExitStatus.SURROUNDINGS)
    threading.Thread(target=_end_in_silence, args=(room.folder, silent_s), daemon=True).start()
    try:
        remote = Remote(room.folder)
        remote.tell(BEGAN)
        room.get(TASK)(room.folder, remote, partial(_say, remote))
        room.put(ANSWER, None)
    except TrimtabError as error:
        return _failed(room, error, int(error.status))
    except Exception as error:  # noqa: BLE001  who waits raises it
        traceback.print_exc()
        return _failed(room, RuntimeError(f"in the driver: {error!r}"), 1)
    return 0


def _say(remote: Remote, line: str) -> None:
    """To the job's log, and to who waits."""
    print(line, flush=True)  # noqa: T201
    remote.tell(SAY, line)


def _failed(room: Room, error: Exception, status: int) -> int:
    print(error, file=sys.stderr)  # noqa: T201
    with suppress(SurroundingsFailed):  # the disk is full: Ray's log has it
        room.put(FAILURE, error)
    return status


def _end_in_silence(folder: Path, silent_s: float) -> None:
    """The next try of who waits must not find these workers in its way, nor the checkpoints that they write."""
    wait_for_silence(folder, silent_s, min(LOOK_S, silent_s / 2))
    print(f"nothing is heard of who waits for {silent_s:.0f} s: this job ends", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(int(ExitStatus.SURROUNDINGS))


if __name__ == "__main__":
    sys.exit(main())
