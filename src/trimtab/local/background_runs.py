"""Pipeline runs beside the loop: starting one returns at once, for safety is watched while it runs."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from trimtab.api.errors import TrimtabError
from trimtab.ports.runs import Run, Runs, RunState


class BackgroundRuns:
    """ports.runs.Runs over another one whose `start` runs to the end.

    A run that is recorded as running, but not by this process, is what a killed loop left: it is gone on
    with as soon as somebody asks for it.

    Args:
        make: gives the runs underneath; called once, in the first run's thread.
        find: looks for a run's record without them.
        parameters: what a recorded run was started with.
    """

    def __init__(
        self,
        make: Callable[[], Runs],
        find: Callable[[str], Run | None],
        parameters: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._make, self._find, self._parameters = make, find, parameters
        self._running: dict[str, threading.Thread] = {}
        self._broken: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        found = self._find(key)
        if found is None or found.state in (RunState.PENDING, RunState.RUNNING):
            self._go(key, parameters)
        return found or Run(id=key, key=key, state=RunState.PENDING)

    def find(self, key: str) -> Run | None:
        found = self._find(key)
        if key in self._broken:
            failed = found or Run(id=key, key=key, state=RunState.FAILED)
            return replace(failed, state=RunState.FAILED, because=self._broken[key])
        if found is None:
            return Run(id=key, key=key, state=RunState.PENDING) if key in self._running else None
        if found.state is RunState.RUNNING:
            self._go(key, self._parameters(key))
        return found

    def _go(self, key: str, parameters: Mapping[str, str]) -> None:
        if key not in self._running and key not in self._broken:
            thread = threading.Thread(
                target=self._run, args=(key, parameters), name=f"run-{key[:8]}", daemon=True
            )
            self._running[key] = thread
            thread.start()

    def _run(self, key: str, parameters: Mapping[str, str]) -> None:
        try:
            with self._one_at_a_time:
                self._make().start(key, parameters)
        except TrimtabError as error:
            self._broken[key] = error.message
        finally:
            self._running.pop(key, None)
