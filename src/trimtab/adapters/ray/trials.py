"""`trimtab.ports.trials.Trials` by Ray Tune: several at once, on this machine or a cluster.

Tune has the processes, and the study the search: what is drawn, who goes on, and all that has been tried are in its
file, so a killed search goes on, and decides as where trials run one by one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.ray.looking import LOOK_AFTER_S, Every
from trimtab.adapters.ray.memory_kills import told
from trimtab.adapters.ray.output import Output
from trimtab.adapters.ray.resources import no_room, on_gpus
from trimtab.adapters.ray.room import TASK, Room
from trimtab.adapters.ray.session import ADDRESS, ray_session
from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp, Trial

OUTPUT_S: Final = 1.0
OFTEN: Final = "one that is killed is often out of memory"


@dataclass(frozen=True, slots=True)
class RayTrials:
    """Ray is imported and started when trials run, and ends with them.

    Attributes:
        folder: where the search lies while it runs; every process sees it.
        count: trials at a time.
        cpus: of each.
        device: auto takes GPUs if there is one for each.
        begin_s: until there must be room for all processes.
    """

    folder: Path
    count: int
    cpus: int
    device: Literal["auto", "cpu", "cuda"]
    begin_s: float = 300.0

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
        with scratch(self.folder.absolute()) as folder, ray_session(asked) as ray:
            Room(folder).put(TASK, trial)
            here = ADDRESS not in os.environ
            gpus = on_gpus(ray.cluster_resources(), asked, self.count, self.cpus, self.device, here=here)
            if not _room_for(ray, self.count, self.cpus, gpus, self.begin_s):
                raise no_room(ray, asked, self.cpus, gpus, self.begin_s)
            output = Output(folder)

            def why() -> str:
                return told(folder) or OFTEN

            def tell() -> None:
                for line in output.new():
                    say(line)

            def end_what_is_late() -> None:
                if searcher.at_work and late():
                    searcher.cut()

            from trimtab.adapters.ray.trainable import GPU, ROOM, WANTED_FOR  # these import Ray
            from trimtab.adapters.ray.tune import StudyScheduler, StudySearcher
            from trimtab.adapters.ray.tune_run import run

            searcher = StudySearcher(asked, draw, end, say, why)
            scheduler = StudyScheduler(
                searcher,
                hear,
                (Every(OUTPUT_S, tell), Every(LOOK_AFTER_S, end_what_is_late)),
                self.begin_s,
                lambda: no_room(ray, asked, self.cpus, gpus, self.begin_s),
            )
            given = {ROOM: str(folder), GPU: gpus, WANTED_FOR: asked}
            try:
                run(folder, given, self.count, self.cpus, searcher, scheduler)
            finally:
                tell()


def _room_for(ray: Any, count: int, cpus: int, gpus: bool, within_s: float) -> bool:
    """Whether Ray comes to have room for all processes; a cluster grows, if it can, because they are asked for."""
    all_of_them = ray.util.placement_group([{"CPU": cpus, "GPU": int(gpus)}] * count)
    there = all_of_them.wait(within_s)
    ray.util.remove_placement_group(all_of_them)
    return bool(there)
