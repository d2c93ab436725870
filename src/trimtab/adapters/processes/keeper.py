"""Keep one child running: start, probe, start again after a growing pause, end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab.adapters.processes import logs
from trimtab.adapters.processes.child import PORT, ChildSpec, ChildState, ChildStatus
from trimtab.adapters.processes.identity import Identity, identify, session_memory_mb
from trimtab.adapters.processes.launch import launch
from trimtab.adapters.processes.loopback import Reservation

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
LIVED_WELL_S = 30.0
PROBE_STARTING_S = 0.05
PROBE_READY_S = 1.0
PROBE_TIMEOUT_S = 2.0
TAIL_LINES = 8


@dataclass(frozen=True, slots=True)
class _Seen:
    state: ChildState
    since: float
    message: str = ""


class Keeper:
    """One child of the supervisor; lives on the supervisor's event loop.

    Args:
        changed: called when the process behind the child became another one, or none.
    """

    def __init__(
        self,
        spec: ChildSpec,
        port: Reservation | None,
        log: Path,
        mark: dict[str, str],
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.identity: Identity | None = None
        self._port = port
        self._log = log
        self._mark = mark
        self._changed = changed
        self._leave = asyncio.Event()
        self._restarts = 0
        self._seen = _Seen(ChildState.STARTING, time.monotonic())
        self._task = asyncio.create_task(self._keep())

    @property
    def port(self) -> int | None:
        return self._port.port if self._port else None

    def status(self, *, memory: bool) -> ChildStatus:
        pid = self.identity.pid if self.identity else None
        return ChildStatus(
            name=self.spec.name,
            labels=self.spec.labels,
            state=self._seen.state,
            since_s=time.monotonic() - self._seen.since,
            restarts=self._restarts,
            port=self.port,
            pid=pid,
            message=self._seen.message,
            memory_mb=session_memory_mb(pid) if memory and pid else None,
        )

    async def end(self) -> None:
        """Ask it to end, wait, make it end; at most `drain_s` and a moment."""
        self._see(ChildState.STOPPING)
        self._leave.set()
        await self._task
        if self._port:
            self._port.close()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._leave.is_set():
            born, logged = time.monotonic(), logs.size(self._log)
            try:
                how = await self._live(logged)
            except OSError as error:
                how = f"cannot be started: {error}"
            if self._leave.is_set():
                return
            self._restarts += 1
            self._see(ChildState.NOT_READY, self._with_tail(how, logged))
            pause = FIRST_PAUSE_S if time.monotonic() - born > LIVED_WELL_S else pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _live(self, logged: int) -> str:
        """One life of the process; returns how it ended."""
        argv = [part.replace(PORT, str(self.port)) for part in self.spec.argv]
        process = launch(argv, {**self.spec.environment, **self._mark}, self._log)
        exited = asyncio.Event()
        pinned = os.pidfd_open(process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(pinned, exited.set)
        self.identity = identify(process.pid)
        self._changed()
        watch = asyncio.create_task(self._watch(logged))
        try:
            await self._until_exit_or_leave(process, exited)
        finally:
            watch.cancel()
            loop.remove_reader(pinned)
            os.close(pinned)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left; not reaped yet, so the id is its own
            code = process.wait()
            self.identity = None
            self._changed()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"

    async def _until_exit_or_leave(self, process: subprocess.Popen[bytes], exited: asyncio.Event) -> None:
        leave = asyncio.create_task(self._leave.wait())
        gone = asyncio.create_task(exited.wait())
        await asyncio.wait((leave, gone), return_when=asyncio.FIRST_COMPLETED)
        if not exited.is_set():
            process.terminate()
            await asyncio.wait((gone,), timeout=self.spec.drain_s)
        if not exited.is_set():
            process.kill()
            await gone
        leave.cancel()

    async def _watch(self, logged: int) -> None:
        born, was_ready, missed = time.monotonic(), False, 0
        while True:
            ready = await self._answers()
            if self._leave.is_set():
                return
            missed = 0 if ready else missed + 1
            if ready:
                was_ready = True
                self._see(ChildState.READY)
            elif was_ready and missed > 1:  # a busy one may miss one
                self._see(ChildState.NOT_READY, "does not answer that it is ready")
            elif not was_ready and time.monotonic() - born > self.spec.start_within_s:
                late = f"not ready {self.spec.start_within_s:g} s after its start"
                self._see(ChildState.NOT_READY, self._with_tail(late, logged))
            await asyncio.sleep(PROBE_READY_S if ready else PROBE_STARTING_S)

    async def _answers(self) -> bool:
        if self.spec.ready_path is None or self.port is None:
            return True
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await _get_ok(self.port, self.spec.ready_path, self.spec.ready_host)
        except (OSError, TimeoutError):
            return False

    def _see(self, state: ChildState, message: str = "") -> None:
        """Since when counts from the change of state; a death after a death is no change."""
        if state is self._seen.state or self._seen.state is ChildState.STOPPING:
            self._seen = replace(self._seen, message=message)
        else:
            self._seen = _Seen(state, time.monotonic(), message)

    def _with_tail(self, what: str, since: int) -> str:
        last = logs.tail(self._log, TAIL_LINES, since)
        return f"{what}; its last words:\n{last}" if last else f"{what}, without a word"


async def _get_ok(port: int, path: str, host: str) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split(b" ")
        return len(status) > 1 and status[1].startswith(b"2")
    finally:
        writer.close()
