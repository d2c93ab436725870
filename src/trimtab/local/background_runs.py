"""Pipeline runs beside the loop: starting one returns at once, for safety is watched while it runs."""

import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace

from trimtab.adapters.kfp.at_work import AtWork
from trimtab.api.errors import TrimtabError
from trimtab.ports.runs import Run, RunState


class BackgroundRuns:
    """ports.runs.Runs that executes one run at a time in a thread.

    A run that is recorded as running, but not by this process, is what a killed loop left: it is gone on
    with as soon as somebody asks for it.

    Args:
        run: executes the run of a key to its end, from these parameters, and records it.
        find: the run as recorded.
        parameters: what a recorded run was started with.
    """

    def __init__(
        self,
        run: Callable[[str, Mapping[str, str]], object],
        find: Callable[[str], Run | None],
        parameters: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._execute, self._find, self._parameters = run, find, parameters
        self._threads: dict[str, threading.Thread] = {}
        self._broken: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        found = self.find(key)
        if found is not None:
            return found
        self._go(key, parameters)
        return Run(id=key, key=key, state=RunState.PENDING)

    def find(self, key: str) -> Run | None:
        under_way = key in self._threads
        found = self._find(key)
        if key in self._broken:
            failed = found or Run(id=key, key=key, state=RunState.FAILED)
            return replace(failed, state=RunState.FAILED, because=self._broken[key])
        if found is None:
            return Run(id=key, key=key, state=RunState.PENDING) if under_way else None
        if found.state is RunState.RUNNING and not under_way:
            self._go(key, self._parameters(key))
        return found

    def _go(self, key: str, parameters: Mapping[str, str]) -> None:
        thread = threading.Thread(
            target=self._run, args=(key, parameters), name=f"run-{key[:8]}", daemon=True
        )
        self._threads[key] = thread
        thread.start()

    def _run(self, key: str, parameters: Mapping[str, str]) -> None:
        try:
            with self._one_at_a_time:
                self._execute(key, parameters)
        except AtWork:
            pass  # a person goes on with it; `find` sees what becomes of it
        except TrimtabError as error:
            self._broken[key] = error.message
        except Exception as error:  # noqa: BLE001  a thread has nobody above it: unsaid, the run would start at each look
            traceback.print_exc()
            self._broken[key] = f"{type(error).__name__}: {error}"
        finally:
            del self._threads[key]
