"""Players beside KServe's own manager: they play the gateway and what becomes of pods, and wait for the others.

The operator looks only once everybody has done what it asked for, so that a run is the same each time.
"""

from typing import Any, Final

from operators.drift.cluster import WatchedCluster
from tests.cluster.control_plane.faults.players import Players
from tests.cluster.control_plane.faults.settings import Setting
from tests.cluster.kube.kserve import KServePlane
from tests.cluster.kube.poll import eventually
from trimtab.adapters.children import REVISION
from trimtab.adapters.gateway_api.kinds import SERVICE
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE, POD
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Kind, Object

SETTLES_WITHIN_S: Final = 90.0
ACCOUNT: Final = Kind("", "v1", "ServiceAccount", "serviceaccounts")
PROBE: Final = {
    "apiVersion": INFERENCE_SERVICE.api_version,
    "kind": INFERENCE_SERVICE.kind,
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "example.com/model:1"}]}},
}


class Awaited(str):
    """What is awaited; true when it is nothing."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return not len(self)


class BesideKServe(Players):
    """Everybody else in a namespace of a plane that has KServe's manager."""

    def __init__(self, cluster: WatchedCluster, namespace: str, setting: Setting, plane: KServePlane) -> None:
        self._plane, self._down = plane, False
        super().__init__(cluster, namespace, setting)

    @property
    def idle(self) -> bool:
        return self._down

    @idle.setter
    def idle(self, wished: bool) -> None:
        """KServe's manager is stopped, with its webhooks, and started again."""
        if wished and not self._down:
            self._plane.manager.stop()
        elif self._down and not wished:
            self._plane.manager.start()
            eventually("KServe's webhooks answer", self._answers, SETTLES_WITHIN_S)
        self._down = wished

    def serve(self) -> None:
        self._has_account()
        eventually("all that was asked of KServe is done", self._awaited, SETTLES_WITHIN_S, 0.02)

    def _has_account(self) -> None:
        """A namespace's account comes a moment after it, and pods before that are tried again ever later."""
        name = self.namespace
        eventually("an account", lambda: self._plane.plane.cluster.read(ACCOUNT, name, "default"))

    def _answers(self) -> bool:
        try:
            self._plane.plane.cluster.apply(PROBE, dry_run=True)
        except SurroundingsFailed:
            return False
        return True

    def _awaited(self) -> "Awaited":
        """What is on its way. KServe says of a server that was ready once that it is, whatever becomes of its pods."""
        wanted: set[str] = set()
        for service in self.cluster.list(INFERENCE_SERVICE, self.namespace):
            name = service["metadata"]["name"]
            if "deletionTimestamp" in service["metadata"]:
                return Awaited(f"{name} goes")
            revision = (service["metadata"].get("labels") or {}).get(REVISION)
            if revision is None:
                continue
            wanted.add(revision)
            for component in self.setting.components:
                if lacks := self._lacking(service, component):
                    return Awaited(f"{name}-{component}: {lacks}")
            status = service.get("status") or {}
            ready = {one["type"]: one["status"] for one in status.get("conditions") or []}.get("Ready")
            if not status.get("address") or (ready != "True" and revision not in self.away):
                return Awaited(f"{name} has the address {status.get('address')} and is ready: {ready}")
        left = [*self.cluster.list(DEPLOYMENT, self.namespace), *self.cluster.list(POD, self.namespace)]
        gone = {one["metadata"]["labels"].get(REVISION) for one in left} - {*wanted, None}
        return Awaited(f"what is left of {', '.join(sorted(map(str, gone)))}" if gone else "")

    def _lacking(self, service: Object, component: str) -> str:
        """What keeps its Deployment from having the replicas that are asked for, and as many that answer as are to."""
        name, revision = service["metadata"]["name"], service["metadata"]["labels"][REVISION]
        deployment = self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-{component}")
        if deployment is None:
            return "no Deployment"
        replicas = service["spec"][component].get("minReplicas", 1)
        mine = self.pods(revision, component)
        if len(mine) != replicas or any("deletionTimestamp" in pod["metadata"] for pod in mine):
            return f"{len(mine)} pods of {replicas}, or one that goes"
        for pod in mine:
            if (pod.get("status") or {}).get("phase") != "Running":
                return "a pod that does not run"
            if _is_ready(pod) == (revision in self.away):
                self._turn(pod, well=revision not in self.away)
                return "a pod that turns"
        counts = deployment.get("status") or {}
        if counts.get("observedGeneration") != deployment["metadata"]["generation"]:
            return "a look of the Deployment's controller"
        seen = (deployment["spec"]["replicas"], counts.get("replicas"), counts.get("availableReplicas", 0))
        expected = (replicas, replicas, 0 if revision in self.away else replicas)
        return "" if seen == expected else f"replicas {seen} of {expected}"

    def _turn(self, pod: Object, *, well: bool) -> None:
        """A pod's model server crashes, and so whatever waits for it; or they run again."""
        how: dict[str, Any] = {"running": {}} if well else {"waiting": {"reason": "CrashLoopBackOff"}}
        status = {
            "conditions": [
                {"type": kind, "status": str(well), "lastTransitionTime": "2026-11-01T00:00:00Z"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {"name": one["name"], "image": one["image"], "imageID": "", "ready": well, "state": how}
                | {"restartCount": int(one["name"] == "kserve-container")}
                for one in pod["spec"]["containers"]
            ],
        }
        meta = pod["metadata"]
        self._plane.plane.cluster.merge(POD, meta["namespace"], meta["name"], {"status": status}, status=True)

    # what a test sees

    def pods(self, revision: str, component: str) -> list[Object]:
        held = self.cluster.list(POD, self.namespace, {REVISION: revision})
        return [pod for pod in held if pod["metadata"]["labels"]["component"] == component]

    def service(self, name: str) -> Object:
        held = self.cluster.read(SERVICE, self.namespace, name)
        assert held is not None
        return held


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
