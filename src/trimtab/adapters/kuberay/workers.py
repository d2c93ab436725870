"""`trimtab.ports.workers.Workers` in pods of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from trimtab.adapters.kuberay.callbacks import RESULT, Remote
from trimtab.adapters.kuberay.pods import Device, RayPods
from trimtab.adapters.kuberay.sealed import Sealed
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.ray import RayWorkers
from trimtab.adapters.ray.room import Room
from trimtab.ports.workers import Member

HEAR = "hear"


@dataclass(frozen=True, slots=True)
class KubeRayWorkers:
    """A RayJob for each task; the attributes are those of `RayPods`."""

    folder: Path
    begin_s: float = 600.0
    api: PodApi | None = None
    pod: str = ""

    def run(
        self,
        task: Callable[[Member], Any],
        count: int,
        cpus: int,
        device: Device,
        hear: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Any:
        pods = RayPods(self.folder, self.begin_s, self.api, self.pod)
        asked, work = (
            f"training.workers: {count}",
            partial(_Training, Sealed.of(task), count, cpus, self.begin_s),
        )
        return pods.run(asked, count, cpus, device, work, {HEAR: hear}, say)


@dataclass(frozen=True, slots=True)
class _Training:
    """The driver's work."""

    task: Sealed
    count: int
    cpus: int
    begin_s: float
    device: Literal["cpu", "cuda"]

    def __call__(self, folder: Path, remote: Remote, say: Callable[[str], None]) -> None:
        workers, task = RayWorkers(folder, begin_s=self.begin_s), _Kept(self.task, folder)
        workers.run(task, self.count, self.cpus, self.device, partial(remote.tell, HEAR), say)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The task, whose answer is left to who waits: the driver has no memory for a model's weights."""

    task: Sealed
    folder: Path

    def __call__(self, member: Member) -> None:
        answer = self.task(member)
        if member.rank == 0:
            Room(self.folder).put(RESULT, answer)
