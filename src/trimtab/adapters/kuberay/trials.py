"""`trimtab.ports.trials.Trials` in pods of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from trimtab.adapters.kuberay.callbacks import Remote
from trimtab.adapters.kuberay.pods import Device, RayPods
from trimtab.adapters.kuberay.sealed import Sealed
from trimtab.adapters.ray import RayTrials
from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp, Trial

DRAW, HEAR, END, LATE = "draw", "hear", "end", "late"


@dataclass(frozen=True, slots=True)
class KubeRayTrials:
    """A RayJob for each search, with a pod for each trial at a time; see `RayTrials`."""

    pods: RayPods
    count: int
    cpus: int
    device: Device

    def run(
        self,
        trial: Trial,
        draw: Callable[[], Asked | None],
        hear: Callable[[Asked, int, Sequence[float], bool], GivenUp],
        end: Callable[[Asked, Ended], None],
        late: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        work = partial(_Search, Sealed.of(trial), self.count, self.cpus, self.pods.begin_s)
        functions: dict[str, Callable[..., Any]] = {DRAW: draw, HEAR: hear, END: end, LATE: late}
        self.pods.run(
            f"search.atOnce: {self.count}", self.count, self.cpus, self.device, work, functions, say
        )


@dataclass(frozen=True, slots=True)
class _Search:
    """The driver's work. What has been tried is known where the search was begun."""

    trial: Sealed
    count: int
    cpus: int
    begin_s: float
    device: Literal["cpu", "cuda"]

    def __call__(self, folder: Path, remote: Remote, say: Callable[[str], None]) -> None:
        draw, hear, end, late = (partial(remote.ask, name) for name in (DRAW, HEAR, END, LATE))
        RayTrials(folder, self.count, self.cpus, self.device, self.begin_s).run(
            self.trial, draw, hear, end, late, say
        )
