"""A process that a test starts, and all that it starts itself."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import psutil

from trimtab.adapters.processes.identity import Identity, marked, send_signal

PATIENCE_S = 300
MARK = "TRIMTAB_TEST_OF_RAY"
T = TypeVar("T")


@dataclass
class Started:
    """One process of a script, and all that it starts."""

    process: subprocess.Popen[str]
    mark: str
    lines: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, script: Path, *arguments: str, errors: Path) -> Self:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdout=subprocess.PIPE, stderr=errors.open("w"), text=True,
            env={**os.environ, MARK: mark}, start_new_session=True,
            # a shell that runs the tests in the background has them ignore it
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        return cls(process, mark)

    def until(self, said: str) -> None:
        """Read on until a line has this in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if said in line:
                return
        raise AssertionError(f"it never said '{said}': {self.lines}")

    def ended(self) -> int:
        assert self.process.stdout is not None
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait()

    def all(self) -> list[Identity]:
        return list(marked(MARK, self.mark))

    def each(self, told: Callable[[psutil.Process], T]) -> list[T]:
        """What is told of every process; those that are gone meanwhile are left out."""
        found = []
        for one in self.all():
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(told(psutil.Process(one.pid)))
        return found

    def left(self) -> list[str]:
        """What is still there once all had time to go."""
        until = time.monotonic() + PATIENCE_S
        while (left := self.all()) and time.monotonic() < until:
            try:
                psutil.Process(left[0].pid).wait(1)
            except (psutil.NoSuchProcess, psutil.TimeoutExpired):
                continue
        return self.each(lambda one: " ".join(one.cmdline()))

    def kill(self) -> None:
        """It and all of its own, whatever became of them."""
        self.process.kill()
        for one in self.all():
            send_signal(one, signal.SIGKILL)
