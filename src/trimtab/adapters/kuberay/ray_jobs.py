"""RayJobs of a namespace, by the service account of the pod that asks for one."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from trimtab.adapters.kuberay.ray_job import RAY_JOB
from trimtab.adapters.kuberay.standing import held_back
from trimtab.adapters.kubernetes.in_pod import ACCEPTED, CONFLICT, CREATED, NOT_FOUND, OK, PodApi
from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Object

RIGHTS: Final = (
    "let its service account get and list pods, create, get and delete rayjobs.ray.io, and delete rayclusters.ray.io, "
    "in {namespace}"
)
TAKEN_AWAY_S: Final = 60.0
INSTALL: Final = "install KubeRay's operator (`trimtab doctor` says how), or say training.where: here"


@dataclass(frozen=True, slots=True)
class RayJobs:
    """
    Attributes:
        asked: what for.
    """

    api: PodApi
    asked: str

    def pod(self, name: str) -> Object:
        """The one that asks.

        Raises:
            InputRefused: there is none.
        """
        status, body = self.api.call("GET", f"/api/v1/namespaces/{self.api.namespace}/pods/{name}")
        if status == NOT_FOUND:
            raise InputRefused(
                f"{self.asked}: there is no pod {name}, as this one calls itself",
                remedy="give it its name: env TRIMTAB_POD from fieldRef metadata.name",
            )
        return self._read(status, body, f"Pod {name}")

    def read(self, name: str) -> Object | None:
        """None where there is none."""
        status, body = self.api.call("GET", self._path(RAY_JOB.plural, name))
        return None if status == NOT_FOUND else self._read(status, body, f"RayJob {name}")

    def pods(self, job: Object | None) -> list[Object]:
        """Of Ray; none before KubeRay has named the RayCluster."""
        if not (cluster := _cluster_of(job)):
            return []
        path = f"/api/v1/namespaces/{self.api.namespace}/pods?labelSelector=ray.io%2Fcluster%3D{cluster}"
        found: list[Object] = self._read(*self.api.call("GET", path), "pods").get("items", [])
        return found

    def held(self, job: Object, *, evicted: bool = False) -> str:
        """Why Kueue holds it back; "" too where it may not be asked."""
        path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{self.api.namespace}/workloads"
        of_it = f"labelSelector=kueue.x-k8s.io%2Fjob-uid%3D{job['metadata']['uid']}"
        with suppress(TrimtabError):
            status, body = self.api.call("GET", f"{path}?{of_it}")
            return held_back(body.get("items", []), evicted=evicted) if status == OK else ""
        return ""

    def create(self, job: Object) -> None:
        """Whatever has this name is ours: of a try of this pod before, or of an answer that was lost.

        Raises:
            InputRefused: it may not.
            SurroundingsFailed: KubeRay is not there, is too old, or does not take away what was there before.
        """
        name, until = job["metadata"]["name"], time.monotonic() + TAKEN_AWAY_S
        while True:
            status, body = self.api.call("POST", self._path(RAY_JOB.plural), job)
            if status == CREATED:
                return self._closed_or_refused(body)
            if status == NOT_FOUND:
                raise SurroundingsFailed(f"{self.asked}: this cluster knows no RayJob", remedy=INSTALL)
            if status != CONFLICT:
                raise self._refused("create", f"RayJob {name}", status, body)
            if time.monotonic() > until:
                raise SurroundingsFailed(
                    f"{self.asked}: RayJob {name} of a try before still stands after {TAKEN_AWAY_S:.0f} s",
                    remedy="see that KubeRay's operator runs: it takes it away",
                )
            self.take_away(name)
            time.sleep(1.0)

    def take_away(self, name: str) -> None:
        """The RayCluster too: a RayJob that is deleted stands until KubeRay's operator has seen it, and may hold GPUs.

        Raises:
            InputRefused: it may not.
            SurroundingsFailed: the API server does not answer.
        """
        cluster = _cluster_of(self.read(name))
        self._delete(RAY_JOB.plural, name)
        if cluster:
            self._delete("rayclusters", cluster)

    def _closed_or_refused(self, made: Mapping[str, Any]) -> None:
        """What a CRD does not know the API server leaves out: without a token any pod could submit a job."""
        if not made["spec"]["rayClusterSpec"].get("authOptions"):
            self.take_away(made["metadata"]["name"])
            raise SurroundingsFailed(
                f"{self.asked}: this cluster's KubeRay knows no token for Ray (rayClusterSpec.authOptions)",
                remedy="update KubeRay's operator and its CRDs to 1.5.1 or later",
            )

    def _delete(self, plural: str, name: str) -> None:
        status, body = self.api.call("DELETE", self._path(plural, name))
        if status not in (OK, ACCEPTED, NOT_FOUND):
            raise self._refused("delete", f"{plural.removesuffix('s')} {name}", status, body)

    def _path(self, plural: str, name: str = "") -> str:
        path = f"/apis/ray.io/v1/namespaces/{self.api.namespace}/{plural}"
        return f"{path}/{name}" if name else path

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


def _cluster_of(job: Object | None) -> str:
    return str(((job or {}).get("status") or {}).get("rayClusterName") or "")
