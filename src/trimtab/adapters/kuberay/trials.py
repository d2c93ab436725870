"""`trimtab.ports.trials.Trials` in pods of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.adapters.kuberay.pods import Device, RayPods
from trimtab.adapters.ray import RayTrials
from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp, Trial


@dataclass(frozen=True, slots=True)
class KubeRayTrials:
    """A RayCluster for each search, with a pod for each trial at a time; see `RayTrials`."""

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
        asked = f"search.atOnce: {self.count}"
        with self.pods.joined(asked, self.count, self.cpus, self.device, say) as ready:
            trials = RayTrials(ready.room, self.count, self.cpus, ready.device, self.pods.begin_s, ready.look)
            trials.run(trial, draw, hear, end, late, say)
