"""The other side of the pipeline host: starts it, sends runs, reads events."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from trimtab.api.errors import SurroundingsFailed


class PipelineHost:
    """A warm host process; a context manager, or `close()` it.

    Args:
        log: file that takes what the host itself prints.
        preload: modules to import in the fork server besides the default ones.
        in_pods: each task runs in a pod of its own, after the one that this is; without a fork server.
    """

    def __init__(self, log: Path, preload: tuple[str, ...] = (), *, in_pods: bool = False) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "trimtab.adapters.kfp.host", *(["--pods"] if in_pods else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={**os.environ, "TRIMTAB_PRELOAD": ",".join(preload), "PYTHONUNBUFFERED": "1"},
            )
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> None:
        """Return when the fork server's imports are done."""
        while not self._ready:
            self._ready = self._next()["event"] == "ready"

    def run(
        self,
        ir: Path,
        arguments: Mapping[str, Any],
        run_dir: Path,
        on_event: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[str, Any]:
        """Run a compiled pipeline to its end; `on_event` hears of each task. Returns the last event.

        A run that is broken off ends the host too: what is left of it must not be taken for the next one's.

        Raises:
            SurroundingsFailed: the host is gone.
        """
        if not self.alive:
            raise self._gone()
        try:
            self.wait_ready()
            self._ask({"ir": str(ir), "arguments": dict(arguments), "run_dir": str(run_dir)})
            for event in self._events():
                on_event(event)
                if event["event"] == "run_ended":
                    return event
        except BaseException:
            self.close()
            raise
        raise AssertionError("unreachable: _events raises when the host is gone")

    @property
    def alive(self) -> bool:
        """Whether it can still run a pipeline."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the host, its fork server and whatever still runs there; a second time does nothing."""
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def _events(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._next()

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._gone()
        return dict(json.loads(line))

    def _gone(self) -> SurroundingsFailed:
        return SurroundingsFailed(
            f"the pipeline host ended with status {self._process.wait()}",
            remedy=f"see {self._log}; --resume goes on from the last finished step",
        )
