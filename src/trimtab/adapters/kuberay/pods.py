"""A RayJob that is submitted for one use, after the pod that asks for it, and followed to its end."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.kuberay.alive import beating
from trimtab.adapters.kuberay.callbacks import BEGAN, POLL_S, RESULT, SAY, Remote, Served
from trimtab.adapters.kuberay.ray_job import Wanted, name_of, ray_job, wants_gpus
from trimtab.adapters.kuberay.ray_jobs import RayJobs
from trimtab.adapters.kuberay.standing import (
    DELETED,
    ended,
    harm,
    has_begun,
    hindrance,
    is_ready,
    is_stuck,
    is_suspended,
    lost,
    refused,
    slowness,
)
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.kubernetes.own_pod import own_name
from trimtab.adapters.ray.looking import LOOK_AFTER_S, Every
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import ExtraMissing, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Object

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Work: TypeAlias = Callable[[Path, Remote, Callable[[str], None]], None]
"""Of a folder, functions of who waits, and a word to the log; it leaves its RESULT in the folder."""
LOOK_S: Final = 2.0
SLOW_S: Final = 60.0
STUCK_S: Final = 60.0
"""What does not start by itself gets so long, in case it is only slow."""
SUSPENDED: Final = "it is suspended: it waits to be admitted (Kueue, or spec.suspend)"
AGAIN: Final = (
    "the next try waits for its pods, and goes on from the last checkpoint: trimtab run --resume latest"
)
ONE_VOLUME: Final = "see that the run's home is one volume that all of its pods write to"
OVER: Final = "see kubectl describe rayjob; KubeRay 1.5.1 or later is needed"
SUBMITTED: Final = (
    "see kubectl describe rayjob, and that no NetworkPolicy keeps KubeRay's operator from port 8265 of its head, "
    "where it submits the job"
)


@dataclass(frozen=True, slots=True)
class RayPods:
    """Pods of Ray for the life of a RayJob of KubeRay's, which is deleted when its use ends.

    Attributes:
        folder: on a volume that pods share.
        begin_s: until all pods must be ready, without the time in which the job is suspended; and then again until its
            driver must have begun.
        api: the API server; None for the pod's own.
        pod: this pod's name; "" for what it calls itself.
    """

    folder: Path
    begin_s: float = 600.0
    api: PodApi | None = None
    pod: str = ""

    def run(
        self,
        asked: str,
        count: int,
        cpus: int,
        device: Device,
        work: Callable[[Literal["cpu", "cuda"]], Work],
        functions: Mapping[str, Callable[..., Any]],
        say: Callable[[str], None],
    ) -> Any:
        """What the work leaves, which the job's driver does on its head; None if it leaves nothing.

        Args:
            work: cloudpickle takes what it gives for a device.
            functions: that the work may call here.

        Raises:
            InputRefused: this is no pod that may have others.
            ExtraMissing: Ray, or its job server, is not installed.
            SurroundingsFailed: so many cannot be had, or one came to grief.
            TrimtabError: the work raised it.
        """
        asked = f"{asked} (where: kuberay)"
        try:
            jobs = RayJobs(self.api or PodApi(), asked)
        except InputRefused as error:
            remedy = f"{error.remedy}; or say training.where: here"
            raise InputRefused(f"{asked}: {error.message}", remedy=remedy) from error
        own = jobs.pod(self.pod or own_name())
        gpus, ray = wants_gpus(own, device), _ray(asked)
        with scratch(self.folder.absolute()) as folder, beating(folder):
            room = Room(folder)
            room.put(TASK, work("cuda" if gpus else "cpu"))
            room.reserve()
            served = Served(folder)
            wanted = Wanted(count, cpus, gpus, folder, ray, os.environ.get("TRIMTAB_QUEUE", ""))
            with _made(jobs, ray_job(own, wanted), say):
                one = _One(jobs, name_of(own), room, self.begin_s)
                one.wait(count, say)
                try:
                    one.follow(served, {**functions, SAY: say})
                except SurroundingsFailed as error:
                    if because := one.harm():
                        raise SurroundingsFailed(f"{asked}: {because}", remedy=error.remedy) from error
                    raise
            return room.get(RESULT) if room.has(RESULT) else None


@contextmanager
def _made(jobs: RayJobs, job: Object, say: Callable[[str], None]) -> Iterator[None]:
    """The RayJob, until left."""
    try:
        jobs.create(job)
        yield
    finally:
        try:
            jobs.take_away(job["metadata"]["name"])
        except TrimtabError as error:
            # What was learned is not lost for this: it goes with the pod.
            say(f"{error.message}; it goes when this pod does")


@dataclass(frozen=True, slots=True)
class _One:
    """A RayJob that is waited for.

    Attributes:
        begin_s: as `RayPods` has it.
    """

    jobs: RayJobs
    name: str
    room: Room
    begin_s: float

    def wait(self, count: int, say: Callable[[str], None]) -> None:
        """Until its pods are ready.

        Raises:
            SurroundingsFailed: they are not in time, or cannot be.
        """
        said, waited_s, stuck_s = "", 0.0, 0.0
        say(f"{count} workers start in pods of RayJob {self.name}")
        while True:
            if (job := self.jobs.read(self.name)) is None:
                raise self._failed(DELETED, ONE_VOLUME)
            pods = self.jobs.pods(job)
            if is_ready(pods, count) or has_begun(job) or self._is_done():
                return
            if because := ended(job):
                raise self._failed(f"has ended: {because}", OVER)
            because = refused(job) or hindrance(pods) or (slowness(pods) if waited_s > SLOW_S else "")
            if is_suspended(job):
                held = self.jobs.held(job)
                because, waited_s = f"{SUSPENDED}{f': {held}' if held else ''}", 0.0
            if because != said and because:
                say(f"RayJob {self.name}: {because}")
            said = because
            stuck_s = stuck_s + LOOK_S if is_stuck(pods) else 0.0
            waited_s += LOOK_S
            if waited_s > self.begin_s or stuck_s > STUCK_S:
                because = because or "KubeRay has not made its pods ready; see kubectl describe rayjob"
                raise self._failed(f"is not ready after {max(waited_s, stuck_s):.0f} s: {because}")
            time.sleep(LOOK_S)

    def follow(self, served: Served, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Serve the driver until it has left word of its end.

        Raises:
            SurroundingsFailed: it does not begin, or is over without a word; its pods have been taken away.
            TrimtabError: what it failed with.
        """
        functions = {**functions, BEGAN: lambda: self._begun(served)}
        look, since = Every(LOOK_AFTER_S, self._look), time.monotonic()
        while not self._is_done():
            served.serve(functions)
            look.perhaps()
            if not served.calls and time.monotonic() - since > self.begin_s:
                raise self._failed(
                    f"has its pods, but its driver has not begun within {self.begin_s:.0f} s", SUBMITTED
                )
            time.sleep(POLL_S)
        served.serve(functions)
        if self.room.has(FAILURE):
            raise self.room.get(FAILURE)

    def harm(self) -> str:
        """What befell a pod of Ray; "" too where nobody can say."""
        with suppress(TrimtabError):
            return harm(self.jobs.pods(self.jobs.read(self.name)))
        return ""

    def _begun(self, served: Served) -> None:
        """
        Raises:
            SurroundingsFailed: it is not the first driver, of whose work it knows nothing.
        """
        if served.calls > 1:
            because = "has lost its head, or was suspended, in mid-task: KubeRay has submitted it anew"
            raise self._failed(because, AGAIN)

    def _look(self) -> None:
        """
        Raises:
            SurroundingsFailed: the pods, which were ready, have been taken away, or the driver is over.
        """
        try:
            job = self.jobs.read(self.name)
            pods = self.jobs.pods(job)
        except TrimtabError:
            return  # who does not answer now may do so later
        held = self.jobs.held(job, evicted=True) if job is not None and is_suspended(job) else ""
        because = lost(job, pods, held)
        if job is not None and (over := ended(job)):
            because = f"has ended without a word of its driver ({over})"
        self.room.look_anew()
        if because and not self._is_done():
            raise self._failed(because, AGAIN)

    def _is_done(self) -> bool:
        return self.room.has(ANSWER) or self.room.has(FAILURE)

    def _failed(self, because: str, remedy: str | None = None) -> SurroundingsFailed:
        return SurroundingsFailed(f"{self.jobs.asked}: RayJob {self.name} {because}", remedy=remedy)


def _ray(asked: str) -> str:
    """Its version, here and so in all of its pods.

    Raises:
        ExtraMissing: it is not here, or the packages that its job server asks for are not.
    """
    try:
        if find_spec("aiohttp_cors") and find_spec("opencensus"):
            return version("ray")
    except PackageNotFoundError:
        pass
    raise ExtraMissing("ray", asked)
