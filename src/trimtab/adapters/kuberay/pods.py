"""A RayJob that is submitted for one use, after the pod that asks for it, and waited for."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.kuberay.callbacks import BEGAN, POLL_S, SAY, Remote, Served
from trimtab.adapters.kuberay.ray_job import RAY_JOB, Wanted, name_of, ray_job, wants_gpus
from trimtab.adapters.kuberay.standing import (
    DELETED,
    ended,
    harm,
    held_back,
    hindrance,
    is_ready,
    is_stuck,
    is_suspended,
    lost,
    refused,
    slowness,
)
from trimtab.adapters.kubernetes.in_pod import ACCEPTED, CONFLICT, CREATED, NOT_FOUND, OK, PodApi
from trimtab.adapters.kubernetes.own_pod import own_name
from trimtab.adapters.ray.looking import LOOK_AFTER_S, Every
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import ExtraMissing, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Object

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Work: TypeAlias = Callable[[Path, Remote, Callable[[str], None]], Any]
"""(a folder for it, functions of who waits, a word to the log) to the answer."""
LOOK_S: Final = 2.0
ALIVE_EVERY_S: Final = 5.0
SLOW_S: Final = 60.0
STUCK_S: Final = 60.0
"""What does not start by itself gets so long, in case it is only slow."""
SUSPENDED: Final = "it is suspended: it waits to be admitted (Kueue, or spec.suspend)"
AGAIN: Final = (
    "the next try waits for its pods, and goes on from the last checkpoint: trimtab run --resume latest"
)
ONE_VOLUME: Final = "see that the run's home is one volume that all of its pods write to"
SUBMITTED: Final = (
    "see kubectl describe rayjob, and that no NetworkPolicy keeps KubeRay's operator from port 8265 of its head, "
    "where it submits the job"
)
RIGHTS: Final = (
    "let its service account get and list pods, and create, get and delete rayjobs.ray.io, in {namespace}"
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
        """What the work answers, which the job's driver does on its head.

        Args:
            work: cloudpickle takes what it gives for a device.
            functions: that the work may call here.

        Raises:
            InputRefused: this is no pod that may have others.
            SurroundingsFailed: so many cannot be had, or one came to grief.
            TrimtabError: the work raised it.
        """
        asked = f"{asked} (where: kuberay)"
        try:
            api = self.api or PodApi()
        except InputRefused as error:
            remedy = f"{error.remedy}; or say training.where: here"
            raise InputRefused(f"{asked}: {error.message}", remedy=remedy) from error
        at = _At(api, asked, self.pod or own_name(), say)
        own = at.own()
        gpus = wants_gpus(own, device)
        with scratch(self.folder.absolute()) as folder, _alive(folder / "alive") as alive:
            room = Room(folder)
            room.put(TASK, work("cuda" if gpus else "cpu"))
            room.reserve()
            queue = os.environ.get("TRIMTAB_QUEUE", "")
            wanted = Wanted(count, cpus, gpus, folder, alive, _ray(asked), queue)
            served = Served(folder, {**functions, SAY: say, BEGAN: lambda: at.begun(own, served)})
            with at.made(own, wanted):
                at.wait(own, room, count, self.begin_s)
                try:
                    at.follow(own, room, served, self.begin_s)
                except SurroundingsFailed as error:
                    if because := at.harm(own):
                        raise SurroundingsFailed(f"{asked}: {because}", remedy=error.remedy) from error
                    raise
            return room.get(ANSWER)


@dataclass(frozen=True, slots=True)
class _At:
    """The API server, for one task."""

    api: PodApi
    asked: str
    pod: str
    say: Callable[[str], None]

    def own(self) -> Object:
        status, body = self.api.call("GET", f"/api/v1/namespaces/{self.api.namespace}/pods/{self.pod}")
        if status == NOT_FOUND:
            raise InputRefused(
                f"{self.asked}: there is no pod {self.pod}, as this one calls itself",
                remedy="give it its name: env TRIMTAB_POD from fieldRef metadata.name",
            )
        return self._read(status, body, f"Pod {self.pod}")

    def pods(self, job: Object | None) -> list[Object]:
        """Of Ray; none before KubeRay has named the RayCluster."""
        cluster = ((job or {}).get("status") or {}).get("rayClusterName")
        if not cluster:
            return []
        path = f"/api/v1/namespaces/{self.api.namespace}/pods?labelSelector=ray.io%2Fcluster%3D{cluster}"
        found: list[Object] = self._read(*self.api.call("GET", path), "pods").get("items", [])
        return found

    def harm(self, own: Object) -> str:
        """What befell a pod of Ray; "" too where nobody can say."""
        with suppress(TrimtabError):
            return harm(self.pods(self._job(name_of(own))))
        return ""

    @contextmanager
    def made(self, own: Object, wanted: Wanted) -> Iterator[None]:
        """The RayJob, until left."""
        path = f"/apis/ray.io/v1/namespaces/{self.api.namespace}/{RAY_JOB.plural}"
        try:
            self._create(path, ray_job(own, wanted))
            yield
        finally:
            try:
                self._delete(f"{path}/{name_of(own)}", RAY_JOB.kind)
            except TrimtabError as error:
                # What was learned is not lost for this: it goes with the pod.
                self.say(f"{error.message}; it goes when the pod {self.pod} does")

    def wait(self, own: Object, room: Room, count: int, begin_s: float) -> None:
        """
        Raises:
            SurroundingsFailed: its pods are not ready in time, or cannot be.
        """
        name, said = name_of(own), ""
        waited_s, stuck_s = 0.0, 0.0
        self.say(f"{count} workers start in pods of RayJob {name}")
        while not is_ready(pods := self.pods(job := self._job(name)), count) and not _is_done(room):
            if job is None:
                raise SurroundingsFailed(f"{self.asked}: RayJob {name} {DELETED}", remedy=ONE_VOLUME)
            if because := ended(job):
                raise SurroundingsFailed(
                    f"{self.asked}: RayJob {name} has ended: {because}", remedy=SUBMITTED
                )
            because = refused(job) or hindrance(pods) or (slowness(pods) if waited_s > SLOW_S else "")
            if is_suspended(job):
                held = self._held(job)
                because, waited_s = f"{SUSPENDED}{f': {held}' if held else ''}", 0.0
            if because != said and because:
                self.say(f"RayJob {name}: {because}")
            said = because
            stuck_s = stuck_s + LOOK_S if is_stuck(pods) else 0.0
            waited_s += LOOK_S
            if waited_s > begin_s or stuck_s > STUCK_S:
                because = because or "KubeRay has not made its pods ready; see kubectl describe rayjob"
                raise SurroundingsFailed(
                    f"{self.asked}: RayJob {name} is not ready after {max(waited_s, stuck_s):.0f} s: {because}"
                )
            time.sleep(LOOK_S)

    def begun(self, own: Object, served: Served) -> None:
        """
        Raises:
            SurroundingsFailed: it is not the first driver, of whose work it knows nothing.
        """
        if served.calls > 1:
            because = "has lost its head, or was suspended, in mid-task: KubeRay has submitted it anew"
            raise SurroundingsFailed(f"{self.asked}: RayJob {name_of(own)} {because}", remedy=AGAIN)

    def follow(self, own: Object, room: Room, served: Served, begin_s: float) -> None:
        """Serve the driver until it has left its answer.

        Raises:
            SurroundingsFailed: it does not begin, or is over without a word; its pods have been taken away.
            TrimtabError: what it failed with.
        """
        look, since = Every(LOOK_AFTER_S, partial(self._look, own, room)), time.monotonic()
        while not _is_done(room):
            served.serve()
            look.perhaps()
            if not served.calls and time.monotonic() - since > begin_s:
                raise SurroundingsFailed(
                    f"{self.asked}: RayJob {name_of(own)} has its pods, but its driver has not begun within "
                    f"{begin_s:.0f} s",
                    remedy=SUBMITTED,
                )
            time.sleep(POLL_S)
        served.serve()
        if room.has(FAILURE):
            raise room.get(FAILURE)

    def _look(self, own: Object, room: Room) -> None:
        """
        Raises:
            SurroundingsFailed: the pods, which were ready, have been taken away, or the driver is over.
        """
        name = name_of(own)
        try:
            job = self._job(name)
            pods = self.pods(job)
        except TrimtabError:
            return  # who does not answer now may do so later
        held = self._held(job, evicted=True) if job is not None and is_suspended(job) else ""
        because = lost(job, pods, held)
        if job is not None and (over := ended(job)):
            time.sleep(LOOK_S)  # for a volume that is slow to show what was written
            because = f"has ended without a word of its driver ({over})"
        if because and not _is_done(room):
            raise SurroundingsFailed(f"{self.asked}: RayJob {name} {because}", remedy=AGAIN)

    def _job(self, name: str) -> Object | None:
        path = f"/apis/ray.io/v1/namespaces/{self.api.namespace}/{RAY_JOB.plural}/{name}"
        status, body = self.api.call("GET", path)
        return None if status == NOT_FOUND else self._read(status, body, f"RayJob {name}")

    def _held(self, job: Object, *, evicted: bool = False) -> str:
        """Why Kueue holds it back; "" too where it may not be asked."""
        path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{self.api.namespace}/workloads"
        of_it = f"labelSelector=kueue.x-k8s.io%2Fjob-uid%3D{job['metadata']['uid']}"
        with suppress(TrimtabError):
            status, body = self.api.call("GET", f"{path}?{of_it}")
            return held_back(body.get("items", []), evicted=evicted) if status == OK else ""
        return ""

    def _create(self, path: str, obj: dict[str, Any]) -> None:
        """Whatever has this name is ours: of a try of this pod before, or of an answer that was lost."""
        until = time.monotonic() + 60.0
        while True:
            status, body = self.api.call("POST", path, obj)
            if status == CREATED:
                return
            if status == NOT_FOUND:
                raise SurroundingsFailed(
                    f"{self.asked}: this cluster knows no {obj['kind']}",
                    remedy="install KubeRay's operator (`trimtab doctor` says how), or say training.where: here",
                )
            if status != CONFLICT or time.monotonic() > until:
                raise self._refused("create", f"{obj['kind']} {obj['metadata']['name']}", status, body)
            self._delete(f"{path}/{obj['metadata']['name']}", obj["kind"])
            time.sleep(1.0)

    def _delete(self, path: str, kind: str) -> None:
        status, body = self.api.call("DELETE", path)
        if status not in (OK, ACCEPTED, NOT_FOUND):
            raise self._refused("delete", f"{kind} {path.rsplit('/', 1)[-1]}", status, body)

    def _read(self, status: int, body: dict[str, Any], what: str) -> dict[str, Any]:
        if status != OK:
            raise self._refused("read", what, status, body)
        return body

    def _refused(self, verb: str, what: str, status: int, body: dict[str, Any]) -> InputRefused:
        rights = RIGHTS.format(namespace=self.api.namespace) if status in (401, 403) else None
        return InputRefused(
            f"{self.asked}: the API server refuses to {verb} {what} ({status}): {body.get('message', '')}",
            remedy=rights,
        )


def _is_done(room: Room) -> bool:
    return room.has(ANSWER) or room.has(FAILURE)


@contextmanager
def _alive(file: Path) -> Iterator[Path]:
    """A file that changes as long as this process lives."""
    over = threading.Event()

    def beat() -> None:
        turn = 0
        while not over.wait(ALIVE_EVERY_S):
            turn += 1
            with suppress(OSError):  # a full or slow volume may be well again before anybody minds
                file.write_text(str(turn), encoding="utf-8")

    file.write_text("0", encoding="utf-8")
    thread = threading.Thread(target=beat, name="alive", daemon=True)
    thread.start()
    try:
        yield file
    finally:
        over.set()
        thread.join()


def _ray(asked: str) -> str:
    try:
        return version("ray")
    except PackageNotFoundError as error:
        raise ExtraMissing("ray", asked) from error
