"""Players that answer once when asked: KServe's controllers, a gateway's, and the model servers of one namespace.

They write what the real ones write (read in KServe 0.20 and Envoy Gateway 1.9), and may be told to behave badly.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from operators.drift.cluster import WatchedCluster
from tests.cluster.control_plane.faults.settings import Setting
from trimtab.adapters.children import REVISION, ROLLOUT
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE, SERVICE
from trimtab.adapters.kserve.kinds import (
    CLUSTER_SERVING_RUNTIME,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    SERVING_RUNTIME,
)
from trimtab.ports.cluster import Object

LATER: Final = "2026-11-01T00:00:00Z"
MODE: Final = "serving.kserve.io/deploymentMode"
NAMED: Final = "--model_name="


class Players:
    """Everybody else in a namespace, where also KServe's manager is played.

    Attributes:
        away: revisions whose pods never come, or are gone.
        idle: nobody plays: KServe's manager and the gateway are down.
        refuses: which routes the gateway does not accept.
    """

    def __init__(self, cluster: WatchedCluster, namespace: str, setting: Setting) -> None:
        self.cluster, self.namespace, self.setting = cluster, namespace, setting
        self.away: set[str] = set()
        self.idle = False
        self.refuses: Callable[[Object], bool] = lambda route: False

    def play(self) -> None:
        if self.idle:
            return
        self.serve()
        for route in self.cluster.list(HTTP_ROUTE, self.namespace):
            if route["metadata"]["name"].endswith("-trimtab"):
                self._accept(route)

    def serve(self) -> None:
        """KServe's manager and the pods do what the InferenceServices ask for."""
        there = set()
        for service in self.cluster.list(INFERENCE_SERVICE, self.namespace):
            if REVISION in service["metadata"]["labels"] and self._is_standard(service):
                there |= set(self._serve(service))
        for deployment in self.cluster.list(DEPLOYMENT, self.namespace):
            if deployment["metadata"]["name"] not in there:
                self._collect(deployment["metadata"]["name"])

    def serves(self, revision: str) -> bool:
        """Whether every component of a revision has a replica that answers."""
        held = self.cluster.list(DEPLOYMENT, self.namespace, {REVISION: revision})
        return len(held) == len(self.setting.components) and all(map(_available, held))

    def ask(
        self, host: str, port: int, method: str, path: str, body: bytes | None, within_s: float
    ) -> tuple[int, bytes]:
        """trimtab.adapters.kserve.asking.Http: a component knows its model by the name that its pods are told."""
        entry = host.split(".")[0]
        revision = entry.removesuffix(f"-{self.setting.entry}")
        for component in self.setting.components:
            held = self.cluster.get(DEPLOYMENT, self.namespace, f"{revision}-{component}")
            if held is None or not _available(held):
                raise OSError(f"{host}: {component} does not answer")
            if told_name(held) != path.split("/")[3].partition(":")[0]:
                return 404, b""
        return 200, b""

    def _is_standard(self, service: Object) -> bool:
        """Another one would be Knative's, which is not there."""
        annotations = service["metadata"].get("annotations") or {}
        return annotations.get(MODE, self.setting.mode) == "Standard"

    def _serve(self, service: Object) -> list[str]:
        name, labels = service["metadata"]["name"], service["metadata"]["labels"]
        address = {"url": f"http://{name}-{self.setting.entry}.{self.namespace}.svc.cluster.local"}
        made = [f"{name}-{component}" for component in self.setting.components]
        for component in self.setting.components:
            if self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-{component}") is None:
                self.cluster.create(_service(self.namespace, f"{name}-{component}"))
                self.cluster.create(self._deployment(service, component))
        if (service.get("status") or {}).get("address") != address:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": LATER}
            self.cluster.write_status({**service, "status": {"address": address, "conditions": [ready]}})
        for component in self.setting.components:
            held = self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-{component}")
            replicas = service["spec"][component].get("minReplicas", 1)
            if labels[REVISION] in self.away:
                replicas = 0
            if held is not None and (held.get("status") or {}).get("availableReplicas", 0) != replicas:
                counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), replicas)
                self.cluster.write_status({**held, "status": counts})
        return made

    def _deployment(self, service: Object, component: str) -> dict[str, Any]:
        name, labels = f"{service['metadata']['name']}-{component}", service["metadata"]["labels"]
        own = {key: labels[key] for key in (REVISION, ROLLOUT)} | {"component": component}
        pod = {
            "metadata": {"labels": own},
            "spec": {"containers": self._containers(service, service["spec"][component])},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": own},
            "spec": {"selector": {"matchLabels": own}, "template": pod},
        }

    def _containers(self, service: Object, component: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A runtime's arguments come first, with the InferenceService's own name in them."""
        if "containers" in component:
            return [dict(one) for one in component["containers"]]
        name, model = service["metadata"]["name"], component["model"]
        runtime = self.cluster.read(SERVING_RUNTIME, self.namespace, model["runtime"]) or self.cluster.read(
            CLUSTER_SERVING_RUNTIME, "", model["runtime"]
        )
        assert runtime is not None
        main = runtime["spec"]["containers"][0]
        args = [arg.replace("{{.Name}}", name) for arg in main["args"]]
        return [{"name": main["name"], "image": main["image"], "args": [*args, *(model.get("args") or [])]}]

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


def told_name(deployment: Object) -> str:
    """The served name that a Deployment's model container is told last."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    main = next(one for one in containers if one["name"] == "kserve-container")
    told = [arg for arg in main.get("args") or [] if arg.startswith(NAMED)]
    return told[-1].removeprefix(NAMED) if told else ""


def _available(deployment: Object) -> bool:
    return bool((deployment.get("status") or {}).get("availableReplicas"))


def _service(namespace: str, name: str) -> dict[str, Any]:
    ports = [{"name": "http1", "port": 80, "targetPort": 8080}]
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
