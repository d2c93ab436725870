"""`trimtab.ports.workers.Workers` in pods of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.adapters.kuberay.pods import Device, RayPods
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.ray import RayWorkers
from trimtab.ports.workers import Member


@dataclass(frozen=True, slots=True)
class KubeRayWorkers:
    """A RayCluster for each task; the attributes are those of `RayPods`."""

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
        with pods.joined(f"training.workers: {count}", count, cpus, device, say) as ready:
            workers = RayWorkers(ready.room, begin_s=self.begin_s, look=ready.look)
            return workers.run(task, count, cpus, ready.device, hear, say)
