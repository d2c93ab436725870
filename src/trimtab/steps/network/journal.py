"""A training as others see it while it runs: a run in the tracking server, lines, and a network's checkpoints."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.watch import Epoch, Step, Watch

AGAIN_S: Final = 60.0
"""Until a tracking server that failed is asked again; twice as long after each further failure, up to 16 times."""
WITHIN_S: Final = 10.0
"""Between two lines within an epoch; one that is shorter tells its end alone."""
Rows = Literal["training", "refit"]


class Journal:
    """What is told of one training; `with` it, its run goes on, and has failed if the block raises.

    A tracking server that is away does not end the training: epochs wait until it is back, and what is of the moment
    alone, within an epoch or of the system's use, is left out meanwhile.

    Args:
        run: the id of a tracking run that others end; or what makes the run, which begins and ends with the training.
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
        rows: Rows = "training",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = None if isinstance(run, str) else run
        self.run_id = run if isinstance(run, str) else ""
        self._tracking, self._say, self._rows = tracking, say, rows
        self._checkpoints = checkpoints
        self._clock = clock
        self._within, self._said_s = 0, 0.0
        self._looks = 0
        self._waiting: list[Epoch] = []
        self._again_s, self._wait_s = 0.0, AGAIN_S

    @property
    def watch(self) -> Watch:
        return Watch(self._epoch, self._step, self._say, checkpoints=self._checkpoints, use=self._use)

    def __enter__(self) -> "Journal":
        self._send()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._tracking is not None:
            self._failed(self._tracking)

    def done(self) -> None:
        """The training is done.

        Raises:
            SurroundingsFailed: its run or epochs still wait, and the tracking server is still away.
        """
        if self._tracking is not None:
            self._tell(self._tracking)

    def _failed(self, tracking: Tracking) -> None:
        """It has ended in an error, which nothing here covers."""
        try:
            self._tell(tracking)
            if self._start is not None:
                tracking.finish(self.run_id, failed=True)
        except SurroundingsFailed as error:
            missing = f"; {_numbers(self._waiting)} will be missing there" if self._waiting else ""
            self._say(f"{error.message}{missing}")

    def _epoch(self, epoch: Epoch) -> None:
        self._say(str(epoch))
        if self._tracking is not None:
            self._waiting.append(epoch)
        self._send()

    def _step(self, step: Step) -> None:
        now = self._clock()
        if step.epoch != self._within:
            self._within, self._said_s = step.epoch, now
        if now - self._said_s < WITHIN_S:
            return
        self._said_s = now
        self._say(str(step))
        self._send(_record(told_within(step, self._rows), step.batch))

    def _use(self, system: Mapping[str, float]) -> None:
        self._send(_record(_system(system, self._rows), self._looks))
        self._looks += 1

    def _send(self, *now: RunRecord) -> None:
        """All epochs that wait, and then what is of this moment, unless the tracking server is away."""
        if self._tracking is None or self._clock() < self._again_s:
            return
        try:
            self._tell(self._tracking)
            for record in now:
                self._tracking.add(self.run_id, record)
        except SurroundingsFailed as error:
            if not self._again_s:
                self._say(f"{error.message}; the training goes on, and tells it later")
            self._again_s = self._clock() + self._wait_s
            self._wait_s = min(2 * self._wait_s, 16 * AGAIN_S)

    def _tell(self, tracking: Tracking) -> None:
        """All epochs that wait, in its run, which is made if it is not yet."""
        if self._start is not None and not self.run_id:
            self._begin(tracking, self._start)
        while self._waiting:
            epoch = self._waiting[0]
            tracking.add(self.run_id, _record(told_of(epoch, self._rows), epoch.number - 1))
            del self._waiting[0]
        if self._again_s:
            self._say("the tracking server is back, and has been told what waited")
        self._again_s, self._wait_s = 0.0, AGAIN_S

    def _begin(self, tracking: Tracking, start: Callable[[], str]) -> None:
        """A run, or that of an earlier sitting."""
        kept = self._checkpoints
        noted = kept.noted() if kept is not None else ""
        if noted and tracking.resume(noted):
            self.run_id = noted
            return
        self.run_id = start()
        if kept is not None:
            kept.note(self.run_id)


def told_of(epoch: Epoch, rows: Rows = "training") -> dict[str, float]:
    """The metrics of an epoch; those of a refit stand beside those of the training, in one run."""
    told = {
        f"{rows}.loss.by_epoch": epoch.loss,
        f"{rows}.learning_rate": epoch.learning_rate,
        f"{rows}.rows_per_s": epoch.rows_per_s,
        **_system(epoch.system, rows),
    }
    if epoch.validation is not None:
        told["validation.loss.by_epoch"] = epoch.validation
    return told


def told_within(step: Step, rows: Rows = "training") -> dict[str, float]:
    """The metrics within an epoch, whose steps are batches: by other names than an epoch's."""
    known = {} if math.isnan(step.loss) else {f"{rows}.loss.by_batch": step.loss}
    system = {f"{name}.by_batch": value for name, value in _system(step.system, rows).items()}
    return {**known, f"{rows}.rows_per_s.by_batch": step.rows_per_s, **system}


def _system(system: Mapping[str, float], rows: Rows) -> Mapping[str, float]:
    if rows == "training":
        return system
    return {name.replace("system/", f"system/{rows}/"): value for name, value in system.items()}


def _record(told: Mapping[str, float], step: int) -> RunRecord:
    return RunRecord(history={name: [value] for name, value in told.items()}, first_step=step)


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
