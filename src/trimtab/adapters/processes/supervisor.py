"""All children of one plane, and what others may ask of it."""

import asyncio
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from trimtab.adapters.processes import logs, record
from trimtab.adapters.processes.child import ChildSpec, ChildStatus
from trimtab.adapters.processes.keeper import Keeper
from trimtab.adapters.processes.loopback import PortTaken, Reservation, reserve
from trimtab.api.errors import SurroundingsFailed

SWEEP_WITHIN_S = 5.0
ROTATE_EVERY_S = 5.0


class Supervisor:
    """Starts, keeps and ends children; sweeps first what a killed predecessor left.

    Args:
        directory: of the plane; holds `children.json` and `logs/`.
    """

    def __init__(self, directory: Path) -> None:
        self._record_file = directory / "children.json"
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        before = record.read(self._record_file)
        self.swept = record.sweep(before, SWEEP_WITHIN_S)
        self._record = replace(before, children={})
        self._closing = False
        self._children: dict[str, Keeper] = {}
        self._reserved: dict[str, Reservation] = {}
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._write()

    def reserve(self, name: str, port: int) -> int:
        """Reserve a port for child `name` before it starts: `port`, or 0 for its last one or any.

        Raises PortTaken.
        """
        child = self._children.get(name)
        held = self._reserved.get(name)
        now = child.port if child else held.port if held else None
        if now is not None and port in (0, now):
            return now
        fresh = self._reserve(name, port)
        if held:
            held.close()
        self._reserved[name] = fresh
        return fresh.port

    async def start(self, spec: ChildSpec) -> ChildStatus:
        """Keep `spec` running; the same spec again changes nothing, another one of that name replaces it."""
        async with self._one_at_a_time[spec.name]:
            if self._closing:
                raise SurroundingsFailed("the plane is going down", remedy="trimtab up")
            child = self._children.get(spec.name)
            if child and child.spec != spec:
                await self._end(child)
                child = None
            if child is None:
                port = self._reserved.pop(spec.name, None)
                if port is None and spec.wants_port is not None:
                    port = self._reserve(spec.name, spec.wants_port)
                log = self._logs / f"{spec.name}.log"
                child = Keeper(spec, port, log, {record.MARK: self._record.mark}, self._write)
                self._children[spec.name] = child
            return child.status(memory=False)

    async def stop(self, name: str) -> None:
        """End a child; nothing if there is none."""
        async with self._one_at_a_time[name]:
            if child := self._children.get(name):
                await self._end(child)

    def statuses(self, *, memory: bool) -> list[ChildStatus]:
        return [child.status(memory=memory) for child in self._children.values()]

    async def close(self) -> None:
        """End all at once, but for those that the others need while they drain. No child starts any more."""
        self._closing = True
        for last in (False, True):
            names = [name for name, child in self._children.items() if child.spec.ends_last is last]
            await asyncio.gather(*(self.stop(name) for name in names))

    async def rotate_logs(self) -> None:
        while True:
            for path in self._logs.glob("*.log"):
                logs.rotate(path)
            await asyncio.sleep(ROTATE_EVERY_S)

    async def _end(self, child: Keeper) -> None:
        await child.end()
        del self._children[child.spec.name]

    def _reserve(self, name: str, port: int) -> Reservation:
        """Port 0 means the last one, if it is free, so that addresses outlive a restart."""
        if not port and (last := self._record.ports.get(name)):
            try:
                return reserve(name, last)
            except PortTaken:
                pass
        return reserve(name, port)

    def _write(self) -> None:
        children = {name: child.identity for name, child in self._children.items() if child.identity}
        ports = {name: child.port for name, child in self._children.items() if child.port}
        self._record = replace(self._record, children=children, ports={**self._record.ports, **ports})
        try:
            record.write(self._record_file, self._record)
        except OSError as error:  # a full disk must not end what runs; the mark still finds it
            sys.stderr.write(f"children.json cannot be written: {error}\n")
