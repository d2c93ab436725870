"""Pods of a RayCluster that is made for one use, after the pod that asks for it."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.kuberay.joined import joined
from trimtab.adapters.kuberay.ray_cluster import (
    RAY_CLUSTER,
    Wanted,
    address_of,
    name_of,
    ray_cluster,
    token_secret,
    wants_gpus,
)
from trimtab.adapters.kuberay.standing import (
    DELETED,
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
from trimtab.api.errors import ExtraMissing, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Object

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
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
RIGHTS: Final = (
    "let the run's service account get and list pods, create and delete secrets, and create, get and delete "
    "rayclusters.ray.io in {namespace}"
)


@dataclass(frozen=True, slots=True)
class Ready:
    """Pods that are there and joined.

    Attributes:
        room: a folder that all of them see.
        device: what they compute on.
        look: raises SurroundingsFailed once they have been taken away.
    """

    room: Path
    device: Literal["cpu", "cuda"]
    look: Callable[[], None]


@dataclass(frozen=True, slots=True)
class RayPods:
    """A RayCluster of KubeRay's, deleted when its use ends.

    Attributes:
        folder: on a volume that pods share.
        begin_s: until all pods must be ready, without the time in which the cluster is suspended.
        api: the API server; None for the pod's own.
        pod: this pod's name; "" for what it calls itself.
    """

    folder: Path
    begin_s: float = 600.0
    api: PodApi | None = None
    pod: str = ""

    @contextmanager
    def joined(
        self, asked: str, count: int, cpus: int, device: Device, say: Callable[[str], None]
    ) -> Iterator[Ready]:
        """RAY_ADDRESS names it until left.

        Raises:
            InputRefused: this is no pod that may have others.
            SurroundingsFailed: so many cannot be had, or one came to grief.
        """
        asked = f"{asked} (where: kuberay)"
        try:
            api = self.api or PodApi()
        except InputRefused as error:
            remedy = f"{error.remedy}; or say training.where: here"
            raise InputRefused(f"{asked}: {error.message}", remedy=remedy) from error
        at = _At(api, asked, self.pod or own_name(), say)
        own = at.own()
        token = secrets.token_hex(32)
        with scratch(self.folder.absolute()) as room, _alive(room / "alive") as alive:
            queue = os.environ.get("TRIMTAB_QUEUE", "")
            wanted = Wanted(count, cpus, wants_gpus(own, device), alive, _ray(asked), queue)
            with at.made(own, token, wanted):
                at.wait(own, count, self.begin_s)
                with joined(address_of(own), token, asked):
                    try:
                        yield Ready(room, "cuda" if wanted.gpus else "cpu", partial(at.look, own))
                    except SurroundingsFailed as error:
                        if because := at.harm(own):
                            raise SurroundingsFailed(f"{asked}: {because}", remedy=error.remedy) from error
                        raise


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

    def pods(self, own: Object) -> list[Object]:
        path = f"/api/v1/namespaces/{self.api.namespace}/pods?labelSelector=ray.io%2Fcluster%3D{name_of(own)}"
        found: list[Object] = self._read(*self.api.call("GET", path), "pods").get("items", [])
        return found

    def harm(self, own: Object) -> str:
        """What befell a pod of Ray; "" too where nobody can say."""
        with suppress(TrimtabError):
            return harm(self.pods(own))
        return ""

    @contextmanager
    def made(self, own: Object, token: str, wanted: Wanted) -> Iterator[None]:
        """The RayCluster and its token, until left."""
        cluster = ray_cluster(own, wanted)
        both = (
            (f"/api/v1/namespaces/{self.api.namespace}/secrets", token_secret(own, token)),
            (f"/apis/ray.io/v1/namespaces/{self.api.namespace}/{RAY_CLUSTER.plural}", cluster),
        )
        try:
            for path, obj in both:
                self._create(path, obj)
            yield
        finally:
            for path, obj in reversed(both):
                try:
                    self._delete(f"{path}/{obj['metadata']['name']}", obj["kind"])
                except TrimtabError as error:
                    # What was learned is not lost for this: it goes with the pod.
                    self.say(f"{error.message}; it goes when the pod {self.pod} does")

    def wait(self, own: Object, count: int, begin_s: float) -> None:
        """
        Raises:
            SurroundingsFailed: its pods are not ready in time, or cannot be.
        """
        name, said = name_of(own), ""
        waited_s, stuck_s = 0.0, 0.0
        self.say(f"{count} workers start in pods of RayCluster {name}")
        while not is_ready(pods := self.pods(own), count):
            cluster = self._cluster(name)
            if cluster is None:
                raise SurroundingsFailed(f"{self.asked}: RayCluster {name} {DELETED}", remedy=ONE_VOLUME)
            because = refused(cluster) or hindrance(pods) or (slowness(pods) if waited_s > SLOW_S else "")
            if is_suspended(cluster):
                held = self._held(cluster)
                because, waited_s = f"{SUSPENDED}{f': {held}' if held else ''}", 0.0
            if because != said and because:
                self.say(f"RayCluster {name}: {because}")
            said = because
            stuck_s = stuck_s + LOOK_S if is_stuck(pods) else 0.0
            waited_s += LOOK_S
            if waited_s > begin_s or stuck_s > STUCK_S:
                because = because or "KubeRay has not made its pods ready; see kubectl describe raycluster"
                raise SurroundingsFailed(
                    f"{self.asked}: RayCluster {name} is not ready after {max(waited_s, stuck_s):.0f} s: {because}"
                )
            time.sleep(LOOK_S)

    def look(self, own: Object) -> None:
        """
        Raises:
            SurroundingsFailed: the pods, which were ready, have been taken away.
        """
        name = name_of(own)
        try:
            cluster, pods = self._cluster(name), self.pods(own)
        except TrimtabError:
            return  # who does not answer now may do so later
        held = self._held(cluster, evicted=True) if cluster is not None and is_suspended(cluster) else ""
        if because := lost(cluster, pods, held):
            raise SurroundingsFailed(f"{self.asked}: RayCluster {name} {because}", remedy=AGAIN)

    def _cluster(self, name: str) -> Object | None:
        path = f"/apis/ray.io/v1/namespaces/{self.api.namespace}/{RAY_CLUSTER.plural}/{name}"
        status, body = self.api.call("GET", path)
        return None if status == NOT_FOUND else self._read(status, body, f"RayCluster {name}")

    def _held(self, cluster: Object, *, evicted: bool = False) -> str:
        """Why Kueue holds it back; "" too where it may not be asked."""
        path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{self.api.namespace}/workloads"
        of_it = f"labelSelector=kueue.x-k8s.io%2Fjob-uid%3D{cluster['metadata']['uid']}"
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
