"""A collector from its log to its last answer: replay, listen, forget what is too old, drain."""

import asyncio
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trimtab.api.errors import SurroundingsFailed
from trimtab.collector.commit import GroupCommit
from trimtab.collector.http import Connection
from trimtab.collector.ledger import Ledger
from trimtab.collector.log import Log, LogRefused
from trimtab.collector.replay import opening, restore
from trimtab.collector.sink import Sink

DAY_US: Final = 86_400_000_000
DRAIN_S: Final = 5.0
FORGET_EVERY_S: Final = 60.0
_logger: Final = logging.getLogger("trimtab.collector")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a collector keeps its log and listens.

    Attributes:
        port: 0 lets the kernel choose.
        keep_days: event time that is held.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    keep_days: int = 400


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        SurroundingsFailed: the folder or the port cannot be had, or the device fails.
    """
    ledger = Ledger()
    log = Log(settings.folder, lambda: opening(ledger))
    try:
        restore(ledger, log)
        forget(ledger, log, settings.keep_days)
        await listen(settings, ledger, log)
    finally:
        log.close()


async def listen(settings: Settings, ledger: Ledger, log: Log) -> None:
    loop = asyncio.get_running_loop()
    commit = GroupCommit(log)
    sink = Sink(ledger, log, commit)
    connections: set[Connection] = set()
    try:
        server = await loop.create_server(
            lambda: Connection(sink.handle, commit.flush, connections), settings.host, settings.port
        )
    except OSError as error:
        raise SurroundingsFailed(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror})",
            remedy="give --http-port another port, or 0",
        ) from error
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    port = server.sockets[0].getsockname()[1]
    sys.stderr.write(f"trimtab collector at http://{settings.host}:{port}\n")
    sys.stderr.flush()
    tasks = [
        asyncio.create_task(sync_forever(commit)),
        asyncio.create_task(forget_forever(ledger, log, settings.keep_days)),
    ]
    await stopping.wait()
    server.close()
    commit.flush()
    for connection in list(connections):
        connection.drain()
    deadline = loop.time() + DRAIN_S
    while connections and loop.time() < deadline:
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()


async def sync_forever(commit: GroupCommit) -> None:
    """A device that fails is told once; appends are refused from then on."""
    try:
        await commit.sync_forever()
    except LogRefused as error:
        _logger.error("%s", error)


async def forget_forever(ledger: Ledger, log: Log, keep_days: int) -> None:
    while True:
        await asyncio.sleep(FORGET_EVERY_S)
        forget(ledger, log, keep_days)


def forget(ledger: Ledger, log: Log, keep_days: int) -> None:
    """Drop what lies more than `keep_days` of event time back."""
    clock_us = ledger.clock_us
    if clock_us is None:
        return
    before_us = clock_us - keep_days * DAY_US
    if log.drop_before(before_us) or ledger.oldest_us < before_us - DAY_US:
        ledger.forget(before_us)
