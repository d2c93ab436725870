"""A network's training as others see it while it runs: a run in the tracking server, lines, and checkpoints."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.watch import Epoch, Watch


class Journal:
    """What is told of one training.

    Args:
        start: makes the tracking run, once the first epoch is done; None leaves no trace.
        say: is told a line an epoch.
        checkpoints: of this training; they keep the run's id, so that who goes on adds to the same run.
    """

    def __init__(
        self,
        tracking: Tracking | None,
        start: Callable[[], str],
        say: Callable[[str], None],
        checkpoints: Checkpoints | None = None,
        terminal: TextIO = sys.stderr,
    ) -> None:
        self.run_id = checkpoints.noted() if checkpoints is not None else ""
        self._tracking, self._start, self._say = tracking, start, say
        self._checkpoints = checkpoints
        self._terminal = terminal if terminal.isatty() else None

    @property
    def watch(self) -> Watch:
        return Watch(self._epoch, self._step, self._say, self._checkpoints)

    def failed(self) -> None:
        """The training has ended in an error."""
        if self._tracking is not None and self.run_id:
            self._tracking.finish(self.run_id, failed=True)

    def _epoch(self, epoch: Epoch) -> None:
        self._clear()
        self._say(str(epoch))
        if self._tracking is None:
            return
        if not self.run_id:
            self.run_id = self._start()
            if self._checkpoints is not None:
                self._checkpoints.note(self.run_id)
        told = {
            "training.loss.by_epoch": epoch.loss,
            "training.learning_rate": epoch.learning_rate,
            "training.rows_per_s": epoch.rows_per_s,
            "system.peak_memory_mb": epoch.memory_mb,
        }
        if epoch.validation is not None:
            told["validation.loss.by_epoch"] = epoch.validation
        history = {name: [value] for name, value in told.items()}
        self._tracking.add(self.run_id, RunRecord(history=history, first_epoch=epoch.number - 1))

    def _step(self, epoch: int, share: float, loss: float, rows_per_s: float, left_s: float) -> None:
        if self._terminal is not None:
            line = (
                f"epoch {epoch}, {share:.0%}: loss {loss:.5f}, {rows_per_s:,.0f} rows/s, {left_s:.0f} s left"
            )
            self._terminal.write(f"\r\x1b[K{line}")
            self._terminal.flush()

    def _clear(self) -> None:
        if self._terminal is not None:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()


def checkpoints_of(
    folder: Path | None, of: Mapping[str, Any], say: Callable[[str], None]
) -> Checkpoints | None:
    """The checkpoints of the training that these values make what it is; None without a folder."""
    if folder is None:
        return None
    identity = hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
    return Checkpoints(folder / identity[:16], identity, say)
