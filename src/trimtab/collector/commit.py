"""Group commit: all that arrived while the loop read is written in one write, then applied and answered.

A group is written on the loop's next turn, which comes as soon as nothing is left to read, and under load
after one round of reads: milliseconds. A background thread flushes to the device every second, so a killed
process loses nothing that was acknowledged and a dead machine at most a second of it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trimtab.collector.log import Log, LogRefused, Record

SYNC_EVERY_S = 1.0


class Entry(NamedTuple):
    """Records that wait to be written together.

    Attributes:
        newest_us: newest time in them, µs since the epoch; -1 for none.
        done: called once they are written, or with the reason why none of them was.
    """

    records: Sequence[Record]
    newest_us: int
    done: Callable[[LogRefused | None], None]


class GroupCommit:
    """The one writer of a log; lives on the event loop."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[Entry] = []
        self._loop = asyncio.get_running_loop()

    def submit(self, entry: Entry) -> None:
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(entry)

    def flush(self) -> None:
        """Write what waits now; entries are done in the order of their coming."""
        entries, self._waiting = self._waiting, []
        if not entries:
            return
        refusal = None
        try:
            self._log.append(
                [record for entry in entries for record in entry.records],
                max(entry.newest_us for entry in entries),
            )
        except LogRefused as error:
            refusal = error
        for entry in entries:
            entry.done(refusal)

    async def sync_forever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            await self._loop.run_in_executor(None, self._log.sync)
