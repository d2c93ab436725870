"""The driver: lives hour after hour, and lets the loop decide in between."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from trimtab.adapters.clock import ReplayClock
from trimtab.adapters.collector import Collector, Label
from trimtab.api.errors import SurroundingsFailed
from trimtab.features.columns import Kind
from trimtab.features.inputs import entity_keys
from trimtab.features.plan import PlannedView
from trimtab.local.replay.barrier import Barrier, Logged, ServerLog
from trimtab.local.replay.client import Answer, Client
from trimtab.local.replay.world import Hour, Known, Outcome, World
from trimtab.ports.online import OnlineStore

COLLECTOR_WITHIN_S: Final = 120.0
PAUSE_S: Final = 0.02


@dataclass(slots=True)
class Counts:
    """What was sent and what came back.

    Attributes:
        sending_s: wall time spent on requests and on waiting for their events.
    """

    requests: int = 0
    failed: int = 0
    predictions: int = 0
    sending_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, answers: Sequence[Answer], rows: int, seconds: float) -> None:
        self.requests += len(answers)
        self.failed += sum(answer.status != 200 for answer in answers)
        self.predictions += rows
        self.sending_s += seconds
        self.statuses.update(answer.status for answer in answers)


class Sources:
    """Growing source files: rows are appended as the world writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, TextIO] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def begin(self, appended: Mapping[str, Sequence[str]]) -> None:
        """Start every file anew with these lines."""
        for name, lines in appended.items():
            (self._folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
            self._open[name] = (self._folder / name).open("a", encoding="utf-8")

    def append(self, appended: Mapping[str, Sequence[str]]) -> None:
        for name, lines in appended.items():
            if lines:
                self._open[name].write("\n".join(lines) + "\n")
                self._open[name].flush()

    def close(self) -> None:
        for file in self._open.values():
            file.close()


class Replay:
    """One replay of a world through the gateway, under one loop.

    Args:
        tick: lets the loop observe, decide and act at the clock's time.
        wake: when the loop must run again at the latest; None for no deadline.
        server_urls: the model servers past the gateway, by revision, as they are now.
        on_hour: hears of each hour after it was lived.
    """

    def __init__(
        self,
        world: World,
        clock: ReplayClock,
        sources: Sources,
        online: OnlineStore,
        collector: Collector,
        client: Client,
        barrier: Barrier,
        tick: Callable[[], None],
        wake: Callable[[], datetime | None],
        server_urls: Callable[[], Mapping[str, str]],
        on_hour: Callable[[datetime], None] = lambda _: None,
    ) -> None:
        self._world, self._clock, self._sources, self._online = world, clock, sources, online
        self._collector, self._client, self._barrier = collector, client, barrier
        self._tick, self._wake, self._server_urls, self._on_hour = tick, wake, server_urls, on_hour
        self._logs: dict[str, tuple[str, ServerLog]] = {}
        self._events = asyncio.new_event_loop()
        self.counts = Counts()
        self.logged: dict[str, Logged] = {}

    def begin(self) -> None:
        """Bring sources, online store and labels to what was known at the start."""
        before = self._world.before()
        self._sources.begin(before.appended)
        self._learn(before.known, before.outcomes)

    def run(self) -> None:
        """Live through every hour of the world."""
        for hour in self._world.hours():
            self._sleep_until(hour.start)
            self._sources.append(hour.appended)
            self._learn(hour.known, hour.outcomes)
            self._tick()
            if hour.requests:
                self._send(hour)
            self._on_hour(hour.start)

    def close(self) -> None:
        self._client.close()
        self._sources.close()
        for _, log in self._logs.values():
            log.close()
        self._events.close()

    def _sleep_until(self, moment: datetime) -> None:
        """Let time pass, with a stop wherever the loop asked to be woken."""
        while (wake := self._wake()) is not None and self._clock.now() < wake < moment:
            self._clock.advance(wake)
            self._tick()
        self._clock.advance(max(moment, self._clock.now()))

    def _learn(self, known: Sequence[Known], outcomes: Sequence[Outcome]) -> None:
        for rows in known:
            write_known(self._online, rows)
        for part in chunks(outcomes, 5000):
            self._deliver([Label(one.id, one.label, one.known_at, one.time) for one in part])

    def _deliver(self, labels: Sequence[Label]) -> None:
        """Hand over outcomes, again while the collector is being started again: it takes each once.

        Raises:
            SurroundingsFailed: it did not come back within two minutes.
        """
        deadline = time.monotonic() + COLLECTOR_WITHIN_S
        while True:
            try:
                return self._collector.labels(labels)
            except SurroundingsFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)

    def _send(self, hour: Hour) -> None:
        began = time.monotonic()
        answers = self._events.run_until_complete(self._client.send_all(hour.requests))
        self.logged.update(self._barrier.wait(self._server_logs()))
        rows = sum(request.rows for request in hour.requests)
        self.counts.add(answers, rows, time.monotonic() - began)

    def _server_logs(self) -> dict[str, ServerLog]:
        urls = self._server_urls()
        for revision, (url, log) in list(self._logs.items()):
            if urls.get(revision) != url:
                log.close()
                del self._logs[revision]
        for revision, url in urls.items():
            if revision not in self._logs:
                self._logs[revision] = (url, ServerLog(url))
        return {revision: log for revision, (_, log) in self._logs.items()}


def write_known(online: OnlineStore, rows: Known) -> None:
    """Rows that became known, straight into the online store."""
    keys = entity_keys(PlannedView(rows.view, rows.by, None, None, ()), rows.columns)
    columns = {name: values for name, values in rows.columns.items() if name not in rows.by}
    kinds = {name: KINDS[values.dtype.kind] for name, values in columns.items()}
    online.write(rows.view, kinds, keys, rows.times, columns)


KINDS: Final[Mapping[str, Kind]] = {"f": "number", "O": "string", "M": "timestamp"}
"""Kind of a column by its NumPy dtype's kind."""


def chunks(items: Sequence[Outcome], size: int) -> Iterator[Sequence[Outcome]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
