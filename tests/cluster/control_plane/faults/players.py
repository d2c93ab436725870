"""Players that answer once when asked: KServe's controllers, a gateway's, and the model servers of one namespace.

They write what the real ones write (read in KServe 0.20 and Envoy Gateway 1.9), and may be told to behave badly.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from operators.drift.cluster import WatchedCluster
from trimtab.adapters.children import REVISION, ROLLOUT
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE, SERVICE
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE
from trimtab.ports.cluster import Object

LATER: Final = "2026-11-01T00:00:00Z"


class Players:
    """Everybody else in a namespace.

    Attributes:
        away: revisions whose pods never come, or are gone.
        idle: nobody plays: KServe's manager and the gateway are down.
        refuses: which routes the gateway does not accept.
    """

    def __init__(self, cluster: WatchedCluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.away: set[str] = set()
        self.idle = False
        self.refuses: Callable[[Object], bool] = lambda route: False

    def play(self) -> None:
        if self.idle:
            return
        there = set()
        for service in self.cluster.list(INFERENCE_SERVICE, self.namespace):
            if REVISION not in service["metadata"]["labels"]:
                continue
            there.add(f"{service['metadata']['name']}-predictor")
            self._serve(service)
        for deployment in self.cluster.list(DEPLOYMENT, self.namespace):
            if deployment["metadata"]["name"] not in there:
                self._collect(deployment["metadata"]["name"])
        for route in self.cluster.list(HTTP_ROUTE, self.namespace):
            if route["metadata"]["name"].endswith("-trimtab"):
                self._accept(route)

    def serves(self, revision: str) -> bool:
        """Whether a revision has a replica that answers."""
        held = self.cluster.list(DEPLOYMENT, self.namespace, {REVISION: revision})
        return any((one.get("status") or {}).get("availableReplicas") for one in held)

    def ask(self, host: str, port: int, method: str, path: str, body: bytes | None, within_s: float) -> int:
        """trimtab.adapters.kserve.asking.Http"""
        name = host.split(".")[0]
        held = self.cluster.get(DEPLOYMENT, self.namespace, name)
        if held is None or not (held.get("status") or {}).get("availableReplicas"):
            raise OSError(f"{host} does not answer")
        return 200

    def _serve(self, service: Object) -> None:
        name, labels = service["metadata"]["name"], service["metadata"]["labels"]
        address = {"url": f"http://{name}-predictor.{self.namespace}.svc.cluster.local"}
        if self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-predictor") is None:
            self.cluster.create(_service(self.namespace, f"{name}-predictor"))
            self.cluster.create(_deployment(self.namespace, name, labels))
        if (service.get("status") or {}).get("address") != address:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": LATER}
            self.cluster.write_status({**service, "status": {"address": address, "conditions": [ready]}})
        held = self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-predictor")
        replicas = service["spec"]["predictor"].get("minReplicas", 1)
        if labels[REVISION] in self.away:
            replicas = 0
        if held is not None and (held.get("status") or {}).get("availableReplicas", 0) != replicas:
            counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), replicas)
            self.cluster.write_status({**held, "status": counts})

    def _collect(self, name: str) -> None:
        self.cluster.delete(DEPLOYMENT, self.namespace, name)
        self.cluster.delete(SERVICE, self.namespace, name)

    def _accept(self, route: Object) -> None:
        generation = route["metadata"]["generation"]
        wished = "False" if self.refuses(route) else "True"
        said: list[Mapping[str, Any]] = (route.get("status") or {}).get("parents") or []
        first = said[0]["conditions"][0] if said else {}
        if (first.get("observedGeneration"), first.get("status")) == (generation, wished):
            return
        conditions = [
            {
                "type": kind, "status": wished, "reason": kind, "message": "",
                "observedGeneration": generation, "lastTransitionTime": LATER,
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]  # fmt: skip
        parents = [
            {"parentRef": ref, "controllerName": "example.com/played", "conditions": conditions}
            for ref in route["spec"]["parentRefs"]
        ]
        self.cluster.write_status({**route, "status": {"parents": parents}})


def _service(namespace: str, name: str) -> dict[str, Any]:
    ports = [{"name": "http1", "port": 80, "targetPort": 8080}]
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}


def _deployment(namespace: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    own = {key: labels[key] for key in (REVISION, ROLLOUT)} | {"component": "predictor"}
    pod = {"metadata": {"labels": own}, "spec": {"containers": [{"name": "model", "image": "played"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-predictor", "namespace": namespace, "labels": own},
        "spec": {"selector": {"matchLabels": own}, "template": pod},
    }
