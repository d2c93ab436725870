"""A network's training as others see it while it runs: a run in the tracking server, lines, and checkpoints."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.values import format_duration
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.watch import Epoch, Watch

AGAIN_S: Final = 60.0
"""Until a tracking server that failed is asked again; twice as long after each further failure, up to 16 times."""
WITHIN_S: Final = 10.0
"""Between two lines within an epoch; one that is shorter tells its end alone."""


class Journal:
    """What is told of one training. A tracking server that is away does not end it: epochs wait until it is back.

    Args:
        run: the tracking run's id; or what makes the run, once the first epoch is done, and it ends with the training.
        say: is told a line an epoch, and one every ten seconds within a long one.
        checkpoints: of this training; they keep the id of a run that was made, so that who goes on adds to the same.
        rows: what it learns from, in the names of its metrics.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        tracking: Tracking | None,
        run: str | Callable[[], str],
        say: Callable[[str], None],
        checkpoints: Checkpoints | None = None,
        rows: Literal["training", "refit"] = "training",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = None if isinstance(run, str) else run
        noted = checkpoints.noted() if checkpoints is not None else ""
        self.run_id = run if isinstance(run, str) else noted
        self._tracking, self._say, self._rows = tracking, say, rows
        self._checkpoints = checkpoints
        self._clock = clock
        self._within, self._said_s = 0, 0.0
        self._waiting: list[Epoch] = []
        self._again_s, self._wait_s = 0.0, AGAIN_S

    @property
    def watch(self) -> Watch:
        return Watch(self._epoch, self._step, self._say, checkpoints=self._checkpoints)

    def done(self) -> None:
        """The training is done.

        Raises:
            SurroundingsFailed: epochs still wait, and the tracking server is still away.
        """
        if self._waiting:
            self._tell()

    def failed(self) -> None:
        """The training has ended in an error, which nothing here covers."""
        if self._tracking is None:
            return
        try:
            self.done()
            if self.run_id and self._start is not None:
                self._tracking.finish(self.run_id, failed=True)
        except SurroundingsFailed as error:
            missing = f"; {_numbers(self._waiting)} will be missing there" if self._waiting else ""
            self._say(f"{error.message}{missing}")

    def _epoch(self, epoch: Epoch) -> None:
        self._say(str(epoch))
        if self._tracking is None:
            return
        self._waiting.append(epoch)
        if self._clock() < self._again_s:
            return
        try:
            self._tell()
        except SurroundingsFailed as error:
            if not self._again_s:
                self._say(f"{error.message}; the training goes on, and tells it later")
            self._again_s = self._clock() + self._wait_s
            self._wait_s = min(2 * self._wait_s, 16 * AGAIN_S)

    def _tell(self) -> None:
        """All epochs that wait, to the tracking server."""
        assert self._tracking is not None
        if self._start is not None and not self.run_id:
            self.run_id = self._start()
            if self._checkpoints is not None:
                self._checkpoints.note(self.run_id)
        while self._waiting:
            epoch = self._waiting[0]
            history = {name: [value] for name, value in told_of(epoch, self._rows).items()}
            self._tracking.add(self.run_id, RunRecord(history=history, first_epoch=epoch.number - 1))
            del self._waiting[0]
        if self._again_s:
            self._say("the tracking server is back, and has been told of all epochs")
        self._again_s, self._wait_s = 0.0, AGAIN_S

    def _step(self, epoch: int, share: float, loss: float, rows_per_s: float, left_s: float) -> None:
        now = self._clock()
        if epoch != self._within:
            self._within, self._said_s = epoch, now
        if now - self._said_s < WITHIN_S:
            return
        self._said_s = now
        known = "" if math.isnan(loss) else f"loss {loss:.5f}, "
        left = format_duration(timedelta(seconds=round(left_s)))
        self._say(f"in epoch {epoch}, {share:.0%}: {known}{rows_per_s:,.0f} rows/s, {left} left")


def told_of(epoch: Epoch, rows: Literal["training", "refit"] = "training") -> dict[str, float]:
    """The metrics of an epoch; those of a refit stand beside those of the training, in one run."""
    system = {
        name.replace("system/", "system/refit/") if rows == "refit" else name: value
        for name, value in epoch.system.items()
    }
    told = {
        f"{rows}.loss.by_epoch": epoch.loss,
        f"{rows}.learning_rate": epoch.learning_rate,
        f"{rows}.rows_per_s": epoch.rows_per_s,
        **system,
    }
    if epoch.validation is not None:
        told["validation.loss.by_epoch"] = epoch.validation
    return told


def _numbers(epochs: Sequence[Epoch]) -> str:
    first, last = epochs[0].number, epochs[-1].number
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def checkpoints_of(
    folder: Path | None, of: Mapping[str, Any], say: Callable[[str], None]
) -> Checkpoints | None:
    """The checkpoints of the training that these values make what it is; None without a folder."""
    if folder is None:
        return None
    identity = hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
    return Checkpoints(folder / identity[:16], identity, say)
