"""What goes on beside a training: who hears of its epochs and its use, and where its checkpoints are kept."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from trimtab.api.values import format_duration

if TYPE_CHECKING:
    from trimtab.steps.network.checkpoints import Checkpoints


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought.

    Attributes:
        number: from 1.
        of: epochs at most.
        loss: mean over its training rows.
        validation: mean over the validation rows; None where there are none.
        best: no epoch before had a lower validation loss.
        rows_per_s: training rows, validation not counted.
        left_s: until all epochs are done, should it not stop early.
        learning_rate: at its end.
        memory_mb: peak of the process so far, or of the GPU's memory where it learns there.
        system: what all its processes use of their machines, by MLflow's names (`fitting.usage.metrics`).
    """

    number: int
    of: int
    loss: float
    validation: float | None
    best: bool
    rows_per_s: float
    left_s: float
    learning_rate: float
    memory_mb: float
    system: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        judged = "" if self.validation is None else f", validation {self.validation:.5f}"
        return (
            f"epoch {self.number} of {self.of}: loss {self.loss:.5f}{judged}{' (best)' if self.best else ''}, "
            f"{self.rows_per_s:,.0f} rows/s, {format_duration(timedelta(seconds=round(self.left_s)))} left"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """How far a training has come within an epoch.

    Attributes:
        epoch: its number, from 1.
        batch: how many are done, over all epochs.
        share: of the epoch that is done.
        loss: mean over the epoch's rows up to the last look at it; NaN before the first.
        rows_per_s: on the mean over the epoch so far.
        left_s: as an epoch's.
        system: what the first of its processes alone has used since the last step that was told, by MLflow's names: to
            ask the others would make all of them wait.
    """

    epoch: int
    batch: int
    share: float
    loss: float
    rows_per_s: float
    left_s: float
    system: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        known = "" if math.isnan(self.loss) else f"loss {self.loss:.5f}, "
        left = format_duration(timedelta(seconds=round(self.left_s)))
        return f"in epoch {self.epoch}, {self.share:.0%}: {known}{self.rows_per_s:,.0f} rows/s, {left} left"


@dataclass(frozen=True, slots=True)
class Watch:
    """Beside one training.

    Attributes:
        epoch: is told of each epoch when it ends.
        step: is told, now and then within an epoch, how far it has come.
        use: is told, now and then, what a training without epochs uses, by MLflow's names.
        alive: is called, now and then, where there is nothing to tell: on validation rows.
        say: is told sentences, such as that it goes on from a checkpoint.
        checkpoints: None keeps none.
    """

    epoch: Callable[[Epoch], None] = lambda _: None
    step: Callable[[Step], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None
    alive: Callable[[], None] = lambda: None
    checkpoints: "Checkpoints | None" = None
    use: Callable[[Mapping[str, float]], None] = lambda _: None
