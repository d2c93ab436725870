"""`trimtab.ports.workers.Workers` over Ray Train."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.ray.deaths import died, hangs
from trimtab.adapters.ray.memory_kills import told
from trimtab.adapters.ray.output import Output
from trimtab.adapters.ray.resources import no_room, on_gpus
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.adapters.ray.session import ADDRESS, ray_session
from trimtab.adapters.ray.whereabouts import whereabouts
from trimtab.adapters.ray.worker import BEGAN, work
from trimtab.ports.workers import Member

LOOK_S: Final = 0.1
OUTPUT_S: Final = 1.0
END_S: Final = 10.0
"""For Ray Train to see that its workers are done."""
AGAIN: Final = 3
"""Times that all workers are started anew when one has died."""


@dataclass(frozen=True, slots=True)
class RayWorkers:
    """Processes of Ray Train. Ray is imported and started when a task runs, and ends with it.

    Attributes:
        folder: where a task lies while it runs; every worker sees it.
        begin_s: until the workers must have begun.
        silence_s: the longest that may go by without a word of the task, or a line of its output.
    """

    folder: Path
    begin_s: float = 300.0
    silence_s: float = 600.0

    def run(
        self,
        task: Callable[[Member], Any],
        count: int,
        cpus: int,
        device: Literal["auto", "cpu", "cuda"],
        hear: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Any:
        asked = f"training.workers: {count}"
        with scratch(self.folder.absolute()) as folder, ray_session(asked) as ray:
            room, output = Room(folder), Output(folder)
            room.put(TASK, task)
            room.reserve()
            room.open()
            gpus = on_gpus(
                ray.cluster_resources(), asked, count, cpus, device, here=ADDRESS not in os.environ
            )
            fit = _Fit(room, count, cpus, gpus)
            fit.start()
            place, began, met = 0, 0, False
            last = read = time.monotonic()
            while True:
                fit.join(LOOK_S)
                if not fit.is_alive() or time.monotonic() - read > OUTPUT_S:
                    room.look_anew()
                ended = not fit.is_alive() or room.has(ANSWER) or room.has(FAILURE)
                for (kind, event), behind in room.heard(place):
                    place, last, met = behind, time.monotonic(), kind != BEGAN
                    if kind != BEGAN:
                        hear(event)
                        continue
                    began += 1
                    if began > 1:
                        say(f"a worker died: all {count} are started anew")
                if ended or time.monotonic() - read > OUTPUT_S:
                    read = time.monotonic()
                    for line in output.new():
                        last = read
                        say(line)
                if ended:
                    break
                silent_s = time.monotonic() - last
                if not began and silent_s > self.begin_s:
                    raise no_room(ray, asked, cpus, gpus, self.begin_s)
                if began and silent_s > self.silence_s:
                    raise hangs(asked, self.silence_s, whereabouts(folder, count), met=met)
            if room.has(FAILURE):
                raise room.get(FAILURE)
            if not room.has(ANSWER):
                raise died(asked, AGAIN, fit.error, room.lost(), output.last, told(folder))
            fit.join(END_S)
            return room.get(ANSWER)


class _Fit(threading.Thread):
    """Ray Train's own call, which waits for the end; beside it, so that somebody can hear what is told meanwhile."""

    def __init__(self, room: Room, count: int, cpus: int, gpus: bool) -> None:
        super().__init__(name="ray-train", daemon=True)
        self.error: BaseException | None = None
        self._given = {"room": str(room.folder), "device": "cuda" if gpus else "cpu"}
        self._count, self._cpus, self._gpus, self._folder = count, cpus, gpus, str(room.folder)

    def run(self) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig

        try:
            trainer(here=ADDRESS not in os.environ)(
                work,
                train_loop_config=self._given,
                scaling_config=ScalingConfig(
                    num_workers=self._count,
                    use_gpu=self._gpus,
                    resources_per_worker={"CPU": self._cpus, **({"GPU": 1} if self._gpus else {})},
                ),
                run_config=RunConfig(
                    name="train", storage_path=self._folder, failure_config=FailureConfig(max_failures=AGAIN)
                ),
            ).fit()
        except BaseException as error:  # noqa: BLE001  who waits for the thread judges it
            self.error = error


def trainer(*, here: bool) -> type[Any]:
    """Ray Train's trainer without the processes that it starts for data sets and for clusters that outlive it.

    Nor is it TorchTrainer, which imports torch in the controller too, and lets the workers meet at an open port.

    Args:
        here: Ray is this machine alone, which does not grow: nobody is asked for more nodes, by a process that the
            workers would wait for.
    """
    from ray.train.v2._internal.callbacks import AcceleratorSetupCallback, BackendSetupCallback
    from ray.train.v2._internal.execution.scaling_policy.fixed import FixedScalingPolicy
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    class AsItIs(FixedScalingPolicy):
        def after_controller_start(self, *_: Any) -> None:
            pass

        def _maybe_send_resource_request(self) -> None:
            pass

    class Bare(DataParallelTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            return [
                AcceleratorSetupCallback(self.backend_config, self.scaling_config),  # type: ignore[arg-type]  # v1's name
                BackendSetupCallback(self.backend_config),
            ]

        def _initialize_and_run_controller(self, **given: Any) -> Any:
            if here:
                given["scaling_policy"] = AsItIs(self.scaling_config)  # type: ignore[arg-type]  # as above
            return super()._initialize_and_run_controller(**given)

    return Bare
