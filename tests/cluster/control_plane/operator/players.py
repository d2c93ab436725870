"""Players for controllers that a bare control plane does not have: KServe's, and a gateway's; and served models.

They write the status that the real ones write (read in KServe 0.20 and Envoy Gateway 1.9), at once and always well.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cluster.control_plane.public_gateway import public_gateway
from trimtab.adapters.children import REVISION, ROLLOUT
from trimtab.adapters.gateway_api.kinds import GATEWAY, HTTP_ROUTE
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE
from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.state import Conflict

LATER = "2026-11-01T00:00:00Z"
NOT_ALLOWED = "No listeners included by this parent ref allowed this attachment."


class Players:
    """Plays for one namespace until stopped.

    Attributes:
        never_ready: versions of which no pod ever answers, by the message of their InferenceService.
        refuses: what the gateway says of every route; "" where it accepts them.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.never_ready: dict[str, str] = {}
        self.refuses = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def start(self) -> None:
        public_gateway(self.cluster)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _play(self) -> None:
        while not self._stop.wait(0.1):
            with suppress(SurroundingsFailed, TrimtabError, Conflict):
                for service in self.cluster.list(INFERENCE_SERVICE, self.namespace):
                    if ROLLOUT in (service["metadata"].get("labels") or {}):
                        self._serve(service)
                for route in self.cluster.list(HTTP_ROUTE, self.namespace):
                    self._accept(route)

    def _serve(self, service: Object) -> None:
        name = service["metadata"]["name"]
        if because := self.never_ready.get(service["metadata"]["annotations"]["trimtab.dev/version"]):
            down = {
                "type": "PredictorReady",
                "status": "False",
                "message": because,
                "lastTransitionTime": LATER,
            }
            if (service.get("status") or {}).get("conditions") != [down]:
                self.cluster.write_status({**service, "status": {"conditions": [down]}})
            return
        self.say_ready(service)
        self.expose(service)
        held = self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-predictor")
        replicas = service["spec"]["predictor"].get("minReplicas", 1)
        if held is not None and (held.get("status") or {}).get("availableReplicas") != replicas:
            counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), replicas)
            self.cluster.write_status({**held, "status": counts})

    def say_ready(self, service: Object) -> None:
        name = service["metadata"]["name"]
        address = {"url": f"http://{name}-predictor.{self.namespace}.svc.cluster.local"}
        if (service.get("status") or {}).get("address") != address:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": LATER}
            self.cluster.write_status({**service, "status": {"address": address, "conditions": [ready]}})

    def expose(self, service: Object) -> None:
        """Its Service and its Deployment."""
        name, labels = service["metadata"]["name"], service["metadata"]["labels"]
        port = {"name": "http", "port": 80, "targetPort": 8080}
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": f"{name}-predictor", "namespace": self.namespace},
                "spec": {"ports": [port], "selector": {REVISION: labels[REVISION]}},
            }
        )
        self.cluster.create(_deployment(self.namespace, name, labels))

    def _accept(self, route: Object) -> None:
        generation = route["metadata"]["generation"]
        said = (route.get("status") or {}).get("parents") or []
        taken = [self._taken(ref) for ref in route["spec"]["parentRefs"]]
        if None in taken:
            return
        because = self.refuses or ("" if all(taken) else NOT_ALLOWED)
        reason = "NotAllowedByListeners" if because == NOT_ALLOWED else ""
        accepted = "False" if because else "True"
        known = said[0]["conditions"][0] if said else {}
        if (known.get("observedGeneration"), known.get("status")) == (generation, accepted):
            return
        conditions = [
            {
                "type": kind, "status": accepted, "reason": reason or kind, "message": because,
                "observedGeneration": generation, "lastTransitionTime": LATER,
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]  # fmt: skip
        parents = [
            {"parentRef": ref, "controllerName": "example.com/played", "conditions": conditions}
            for ref in route["spec"]["parentRefs"]
        ]
        self.cluster.write_status({**route, "status": {"parents": parents}})

    def _taken(self, ref: Mapping[str, Any]) -> bool | None:
        """Whether a Gateway's listeners take routes of this namespace; None while there is no such Gateway."""
        namespace = ref.get("namespace", self.namespace)
        gateway = self.cluster.get(GATEWAY, namespace, ref["name"])
        if gateway is None:
            return None
        allowed = [one["allowedRoutes"]["namespaces"]["from"] for one in gateway["spec"]["listeners"]]
        return "All" in allowed or namespace == self.namespace


def _deployment(namespace: str, name: str, labels: dict[str, str]) -> dict[str, Any]:
    own = {key: labels[key] for key in (REVISION, ROLLOUT)} | {"component": "predictor"}
    pod = {"metadata": {"labels": own}, "spec": {"containers": [{"name": "model", "image": "played"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-predictor", "namespace": namespace, "labels": own},
        "spec": {"selector": {"matchLabels": own}, "template": pod},
    }


class _Ready(BaseHTTPRequestHandler):
    """A model server that is always well: every path answers 200."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def served_models() -> Iterator[int]:
    """Something that answers ready for every model; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ready)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
