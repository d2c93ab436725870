"""An operator in this process: its runtime and caches over a real API server, its handler called by the test.

A look is a call; between two of them the players play and time passes, so that a run is the same each time. What dies
is the handler with all that it remembers; caches only ever hold what the API server said.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from operators.drift import watches
from operators.drift.caches import Caches
from operators.drift.cluster import WatchedCluster
from operators.drift.config import Configuration
from operators.drift.reporting import Reporter
from operators.drift.runtime import Client
from trimtab.adapters.kubernetes.kinds import NAMESPACE
from trimtab.ports.cluster import Cluster, Kind, Object

FILLED_WITHIN_S = 60.0
T = TypeVar("T")


class Killed(BaseException):
    """The process died here."""


class Machine:
    """One event loop with a client and the caches of a whole cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="operator", daemon=True)
        self.cluster: WatchedCluster
        self.caches: Caches

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(FILLED_WITHIN_S)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(FILLED_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._client = await Client.connect(str(self._kubeconfig), user_agent="faults")
        self.caches = Caches(self._client, watches.WATCHED, ())
        self._filling = asyncio.create_task(self.caches.run())
        assert await self.caches.wait_synced(FILLED_WITHIN_S)
        kinds = (*(one.kind for one in watches.WATCHED), NAMESPACE)
        reporter = Reporter(self._client, self._loop, "faults")
        self.cluster = WatchedCluster(self._client, self._loop, self.caches, kinds, reporter)

    async def _stop(self) -> None:
        self._filling.cancel()
        await asyncio.gather(self._filling, return_exceptions=True)
        await self._client.close()


@contextmanager
def running(kubeconfig: Path) -> Iterator[Machine]:
    machine = Machine(kubeconfig)
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


@dataclass
class Writes:
    """The writes of one run, by what they wrote, and the one at which the process dies.

    Attributes:
        at: its number; -1 for none.
        after: whether the write is done first.
        first: numbers of those that were the first of a look.
    """

    at: int = -1
    after: bool = False
    done: list[str] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    _looks: bool = True

    def look_begins(self) -> None:
        self._looks = True

    def count_anew(self) -> None:
        self.done.clear()
        self.first.clear()

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """Around one write.

        Raises:
            Killed: the process dies before it, or after.
        """
        number = len(self.done)
        self.done.append(what)
        if self._looks:
            self.first.append(number)
            self._looks = False
        if number == self.at and not self.after:
            raise Killed
        yield
        if number == self.at:
            raise Killed

    @property
    def deaths(self) -> list[tuple[int, bool]]:
        """(write, whether it is done first) of every death that may lead elsewhere.

        Within a look, dead after one write is dead before the next: of the process nothing is left. Between two looks
        time passes and everybody else acts; so a look's first write has a death of its own before it.
        """
        return [*((at, False) for at in self.first), *((at, True) for at in range(len(self.done)))]


class Mortal:
    """ports.cluster.Cluster through which an operator writes, until it dies at one of its writes."""

    def __init__(self, inner: Cluster, writes: Writes, judge: Callable[[str, Object], None]) -> None:
        self._inner, self._writes, self._judge = inner, writes, judge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, obj: Object, *, account: str = "") -> Object | None:
        return self._guarded("create", obj, lambda: self._inner.create(obj, account=account))

    def apply(self, obj: Object, *, account: str = "", dry_run: bool = False) -> Object:
        if dry_run:
            return self._inner.apply(obj, account=account, dry_run=True)
        return self._guarded("apply", obj, lambda: self._inner.apply(obj, account=account))

    def replace(self, obj: Object, *, account: str = "") -> Object:
        return self._guarded("replace", obj, lambda: self._inner.replace(obj, account=account))

    def write_status(self, obj: Object) -> Object:
        return self._guarded("status", obj, lambda: self._inner.write_status(obj))

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", account: str = "") -> None:
        about = {"kind": kind.kind, "metadata": {"name": name, "namespace": namespace}}
        self._guarded(
            "delete", about, lambda: self._inner.delete(kind, namespace, name, uid=uid, account=account)
        )

    def _guarded(self, verb: str, obj: Object, write: Callable[[], T]) -> T:
        self._judge(verb, obj)
        with self._writes.one(f"{verb} {obj['kind']} {obj['metadata']['name']}"):
            return write()


class Time:
    """ports.clock.Clock: stands still until told; the wall clock may be set, the monotonic one goes on.

    Attributes:
        farthest: the latest time that the wall clock ever showed.
    """

    def __init__(self, start: datetime) -> None:
        self._now, self._monotonic_s = start, 1000.0
        self.farthest = start

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def pass_(self, length: timedelta) -> None:
        self._now += length
        self._monotonic_s += length.total_seconds()
        self.farthest = max(self.farthest, self._now)

    def jump(self, length: timedelta) -> None:
        """Somebody set the wall clock."""
        self._now += length


def configuration(folder: Path, **more: Any) -> Configuration:
    """As the tests of a rollout need it: nothing settles, a look is a minute."""
    return Configuration.model_validate({"settle": "0s", "tick": "1m", "cache": str(folder), **more})
