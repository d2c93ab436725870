"""The entrypoint of the RayJob: what drives its workers, on its head.

    python -m trimtab.adapters.kuberay.driver FOLDER

The folder is a room that who made the job sees too. The work lies there, and there it leaves the answer or the failure;
what is to be heard on the way is called over it. The exit status is Ray's and so KubeRay's to know: 0, or that of the
failure.
"""

import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from trimtab.adapters.kuberay.callbacks import BEGAN, SAY, Remote
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import ExitStatus, SurroundingsFailed, TrimtabError


def main(argv: list[str] | None = None) -> int:
    """
    Returns:
        The exit status.
    """
    (folder,) = argv if argv is not None else sys.argv[1:]
    room = Room(Path(folder))
    if not room.has(TASK):
        print(f"{folder} is not to be seen here", file=sys.stderr)  # noqa: T201
        return int(ExitStatus.SURROUNDINGS)
    remote = Remote(room.folder)
    remote.tell(BEGAN)
    try:
        answer = room.get(TASK)(room.folder, remote, partial(_say, remote))
    except TrimtabError as error:
        return _failed(room, error, int(error.status))
    except Exception as error:  # noqa: BLE001  who waits raises it
        traceback.print_exc()
        return _failed(room, RuntimeError(f"in the driver: {error!r}"), 1)
    room.put(ANSWER, answer)
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


if __name__ == "__main__":
    sys.exit(main())
