"""Envoy Gateway on a node: its controller, and one Gateway that any namespace may attach routes to.

Its proxies have one Envoy cluster for each rule of a route, whose endpoints are the pods of all backends, and one for
each mirror. (`mergeBackends` would count by Service, but a backend's cluster then comes and goes with its share: of
13,000 requests at 300 a second, 3 to 43 failed over a dozen changes of a route; so, none of 27,000.)
"""

import re
import shutil
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.kube import images, versions
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.golang import module
from tests.cluster.kube.node import Node

SYSTEM = "envoy-gateway-system"
NAMESPACE = "gateways"
NAME = "public"
COUNTED = "counted"
CLASS = "envoy"
STATS_PORT = 19001
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
ENVOY = "gateway.envoyproxy.io/v1alpha1"
API = "gateway.networking.k8s.io/v1"
REQUESTS = re.compile(
    r'^envoy_cluster_upstream_rq_total\{envoy_cluster_name="([^"]+)"\} (\d+)$', re.MULTILINE
)
BY_ENDPOINT = re.compile(r"^(httproute/[^:]+)::([0-9.]+):\d+::(rq_total|rq_error)::(\d+)$", re.MULTILINE)
ASK_ENVOY = (
    "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:19000/clusters').read().decode())"
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway that is programmed.

    Attributes:
        address: of the Service in front of its proxies.
        port: of this host's 127.0.0.1 that leads there.
        service: that Service's name, in namespace `envoy-gateway-system`.
        name: of the Gateway, in namespace `gateways`.
    """

    node: Node
    address: str
    port: int
    service: str
    name: str = NAME

    @property
    def host(self) -> str:
        """Its name in the cluster's DNS."""
        return f"{self.service}.{SYSTEM}.svc.cluster.local"

    def counts(self) -> dict[str, int]:
        """Requests sent by Envoy cluster since the proxies began, summed over the proxies.

        Names: `httproute/<namespace>/<route>/rule/<rule>`, and for its mirrors `…-mirror-<filter>`.
        """
        total: dict[str, int] = {}
        for name, count in REQUESTS.findall(self.stats()):
            total[name] = total.get(name, 0) + int(count)
        return total

    def sent(self, namespace: str, route: str) -> dict[str, int]:
        """Requests that a route sent to each pod that it leads to now, by the pod's address; no mirrored copies."""
        return self._by_pod(namespace, route, "rq_total")

    def failed(self, namespace: str, route: str) -> dict[str, int]:
        """Of these, those that were answered by 5xx, or were not answered."""
        return self._by_pod(namespace, route, "rq_error")

    def _by_pod(self, namespace: str, route: str, wanted: str) -> dict[str, int]:
        of_route = re.compile(rf"httproute/{namespace}/{route}/rule/\d+")
        total: dict[str, int] = {}
        for pod in self._pods():
            told = self.node.kubectl(
                "exec", "-n", SYSTEM, pod, "-c", "envoy", "--", "/usr/bin/python3", "-c", ASK_ENVOY
            )
            for name, address, counter, count in BY_ENDPOINT.findall(told):
                if counter == wanted and of_route.fullmatch(name):
                    total[address] = total.get(address, 0) + int(count)
        return total

    def mirrored(self, namespace: str, route: str) -> int:
        """Copies that a route's mirrors sent."""
        of_route = re.compile(rf"httproute/{namespace}/{route}/rule/\d+-mirror-\d+")
        return sum(count for name, count in self.counts().items() if of_route.fullmatch(name))

    def stats(self) -> str:
        """All proxies' counters, as Prometheus reads them."""
        return "".join(self._stats(address) for address in self.proxies())

    def proxies(self) -> list[str]:
        """Addresses of its proxy pods that are Ready."""
        return [pod["status"]["podIP"] for pod in self._pods().values()]

    def _pods(self) -> dict[str, dict[str, Any]]:
        selector = (
            f"gateway.envoyproxy.io/owning-gateway-name={self.name},"
            f"gateway.envoyproxy.io/owning-gateway-namespace={NAMESPACE}"
        )
        pods = self.node.list("pods", SYSTEM, selector)
        return {pod["metadata"]["name"]: pod for pod in pods if _ready(pod)}

    def _stats(self, address: str) -> str:
        port = self.node.forward(address, STATS_PORT)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/prometheus", timeout=10) as answer:
            text: str = answer.read().decode()
            return text


def install(node: Node) -> Gateway:
    """Install Envoy Gateway and its Gateway, and wait until that is programmed."""
    install_controller(node)
    of_class = {"kind": "GatewayClass", "metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER}}
    node.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": API, **of_class},
    )
    return _gateway(node, NAME)


def install_controller(node: Node) -> None:
    """Envoy Gateway alone, by its chart."""
    node.load(node.images.gateway())
    install_crds(node)
    node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    node.kubectl("apply", "--server-side", "-f", "-", given=_render(chart()))
    node.wait_for_rollout(SYSTEM, "envoy-gateway")


def install_counted(node: Node) -> Gateway:
    """One more Gateway, whose proxies count by Service (`mergeBackends`), at the cost that this module's head tells.

    And it lets a caller's own X-Request-Id stand.
    """
    node.apply(_keeps_request_ids(COUNTED))
    return _gateway(node, COUNTED, {"mergeBackends": {}})


def _gateway(node: Node, name: str, proxies: dict[str, Any] | None = None) -> Gateway:
    node.apply(*_objects(name, proxies or {}))
    return programmed(node, name)


def programmed(node: Node, name: str = NAME) -> Gateway:
    """Wait for a Gateway of namespace `gateways`, whoever wrote it."""
    node.wait("Programmed", "gateway", name, NAMESPACE)
    (service,) = node.list("services", SYSTEM, f"gateway.envoyproxy.io/owning-gateway-name={name}")
    node.wait_for_rollout(SYSTEM, service["metadata"]["name"])
    address = service["spec"]["clusterIP"]
    return Gateway(node, address, node.forward(address, 80), service["metadata"]["name"], name)


def install_crds(node: Node) -> None:
    """The Gateway API's kinds and Envoy Gateway's own. KServe asks for them when it starts."""
    crds = chart() / "charts" / "crds" / "crds"
    paths = (crds / "gatewayapi-crds.yaml", crds / "generated")
    node.kubectl("apply", "--server-side", "--force-conflicts", *(f"--filename={path}" for path in paths))
    names = node.kubectl("get", "crd", "-o", "name").split()
    ours = [name for name in names if ".gateway." in name]
    node.kubectl("wait", "--for=condition=Established", *ours, "--timeout=30s")


def chart() -> Path:
    """Envoy Gateway's chart in its module."""
    return module("github.com/envoyproxy/gateway", versions.ENVOY_GATEWAY) / "charts" / "gateway-helm"


def _objects(name: str, proxies: dict[str, Any]) -> list[dict[str, Any]]:
    """A Gateway, and how its proxies are made."""
    metadata = {"name": name, "namespace": NAMESPACE}
    listener = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    container = {"image": images.ENVOY, "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}
    kubernetes = {
        "envoyService": {"type": "ClusterIP"},
        "envoyDeployment": {"replicas": 1, "container": container},
    }
    return [
        {
            "apiVersion": ENVOY,
            "kind": "EnvoyProxy",
            "metadata": metadata,
            "spec": {"provider": {"type": "Kubernetes", "kubernetes": kubernetes}, **proxies},
        },
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": metadata,
            "spec": {
                "gatewayClassName": CLASS,
                "infrastructure": {
                    "parametersRef": {
                        "group": "gateway.envoyproxy.io",
                        "kind": "EnvoyProxy",
                        "name": name,
                    }
                },
                "listeners": [listener],
            },
        },
    ]


def _keeps_request_ids(name: str) -> dict[str, Any]:
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    return {
        "apiVersion": ENVOY,
        "kind": "ClientTrafficPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"targetRefs": [target], "headers": {"requestID": "PreserveOrGenerate"}},
    }


def _render(source: Path) -> str:
    """The chart's objects. Its values come with placeholders for the image, which its release fills in."""
    values = {
        "crds.enabled": "false",
        "topologyInjector.enabled": "false",
        "global.images.envoyProxy.image": images.ENVOY,
    }
    with tempfile.TemporaryDirectory() as scratch:
        chart = Path(scratch) / "gateway-helm"
        shutil.copytree(source, chart)
        template = (chart / "values.tmpl.yaml").read_text()
        filled = template.replace("${GatewayImage}", images.ENVOY_GATEWAY)
        filled = filled.replace("${GatewayImagePullPolicy}", "IfNotPresent")
        (chart / "values.yaml").write_text(filled)
        command = [str(binary("helm")), "template", "eg", str(chart), "--namespace", SYSTEM]
        for name, value in values.items():
            command += ["--set", f"{name}={value}"]
        home = {"HELM_CONFIG_HOME": scratch, "HELM_CACHE_HOME": scratch, "HELM_DATA_HOME": scratch}
        ended = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **home}, capture_output=True, text=True)
    if ended.returncode:
        raise ClusterToolFailed(f"helm template of Envoy Gateway failed: {ended.stderr}")
    return ended.stdout


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
