"""The process that owns a plane's children: `python -m trimtab.local.supervisor DIRECTORY`.

It outlives the terminal that started it, runs once a directory (a lock held for its life), ends with the
process that it is tied to, with SIGTERM, or when its directory is taken away, and takes all children along.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from trimtab.adapters.processes.control import serve
from trimtab.adapters.processes.supervisor import Supervisor
from trimtab.api.errors import ExitStatus

LOCK = "supervisor.lock"
LAST_ANSWER_S = 0.05
LOOK_S = 2.0


@contextlib.contextmanager
def alone(directory: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the directory's lock; False if a supervisor holds it and `wait` is not asked."""
    with (directory / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


async def supervise(directory: Path) -> None:
    """Until told to end."""
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    supervisor = Supervisor(directory)
    if supervisor.swept:
        sys.stderr.write(f"ended what a killed supervisor left behind: {supervisor.swept}\n")

    def tie(pid: int) -> None:
        try:
            loop.add_reader(os.pidfd_open(pid), leave.set)
        except ProcessLookupError:
            leave.set()

    async def shutdown() -> None:
        await supervisor.close()
        loop.call_later(LAST_ANSWER_S, leave.set)

    async def leave_with_the_directory() -> None:
        while directory.exists():
            await asyncio.sleep(LOOK_S)
        leave.set()

    server = await serve(directory, supervisor, tie, shutdown)
    beside = [asyncio.create_task(supervisor.rotate_logs()), asyncio.create_task(leave_with_the_directory())]
    await leave.wait()
    server.close()
    for task in beside:
        task.cancel()
    await supervisor.close()


def main(directory: Path) -> int:
    with alone(directory) as first:
        if first:
            asyncio.run(supervise(directory))
    return int(ExitStatus.DONE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
