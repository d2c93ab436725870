"""What trimtab rests on, which others bring: KServe, the Gateway API and its controllers, and what is optional."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trimtab.adapters.kubectl import Kubectl
from trimtab.adapters.kubernetes import parts
from trimtab.local.cluster_doctor.reading import (
    CRDS,
    Deployments,
    Json,
    because,
    deployment,
    holds,
    image,
    listed,
    number,
    tag,
    text,
)
from trimtab.local.doctor import Finding

GATEWAY_API: Final = (1, 4)
KSERVE: Final = (0, 20)
GATEWAYS: Final = {
    "gateway.envoyproxy.io": ("Envoy Gateway", "envoyproxy/gateway"),
    "istio.io": ("Istio", "istio/pilot"),
    "projectcontour.io": ("Contour", "projectcontour/contour"),
    "io.cilium": ("Cilium", "cilium/operator"),
    "traefik.io": ("Traefik", "traefik"),
    "gateway.nginx.org": ("NGINX Gateway Fabric", "nginx-gateway-fabric"),
    "networking.gke.io": ("GKE", ""),
}
"""How a controller's name begins, to what it is called and what its image's name holds; "" where it runs elsewhere.

Not its Deployment's name: those of a Gateway's own proxies begin likewise.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Something optional, known by a CRD or by its Deployment.

    Attributes:
        crd: "" where it has none.
        deployment: what a Deployment's name or its image's holds.
        wanted_for: what does not work without it.
        remedy: the line that gets it.
    """

    name: str
    crd: str
    deployment: str
    wanted_for: str
    remedy: str


OPTIONAL: Final = (
    Part("kfp", "", "ml-pipeline", "policies that name Kubeflow Pipelines; a Job does too", parts.KFP),
    Part("kuberay", "rayjobs.ray.io", "kuberay-operator", "training.where: kuberay, workers in pods of their own",
         parts.KUBERAY),
    Part("mlflow", "", "mlflow", "models that are named by an alias", parts.MLFLOW),
    Part("feast operator", "featurestores.feast.dev", "feast-operator", "a feature store that the cluster keeps",
         parts.FEAST),
    Part("prometheus", "podmonitors.monitoring.coreos.com", "prometheus-operator", "monitors and alerts",
         parts.PROMETHEUS),
)  # fmt: skip


def kserve(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    if kubectl.find(CRDS, "inferenceservices.serving.kserve.io") is None:
        yield Finding("kserve", "not installed: nothing serves a rollout", False, parts.KSERVE, True)
        return
    manager = deployment(deployments, "kserve-controller")
    if manager is None:
        yield Finding("kserve", "its kinds are there, its manager is not seen", False, parts.KSERVE)
        return
    version, namespace = tag(manager), manager["metadata"]["namespace"]
    well = not number(version) or number(version) >= KSERVE
    yield Finding(
        "kserve",
        f"{version} in {namespace}",
        well,
        f"upgrade it to {text(KSERVE)} or newer: {parts.KSERVE}",
        True,
    )
    config = kubectl.find("configmaps", "inferenceservice-config", namespace)
    if config is None:
        yield Finding(
            "kserve config",
            f"{namespace} has no ConfigMap inferenceservice-config",
            False,
            parts.KSERVE_MANAGER,
            True,
        )
        return
    mode = str(_inside(config, "deploy").get("defaultDeploymentMode", "not said"))
    routes = _inside(config, "ingress").get("enableGatewayApi")
    standard = mode in ("Standard", "RawDeployment")
    said = f"default mode {mode}" + ("" if standard else "; revisions say Standard themselves")
    yield Finding("kserve config", f"{said}, enableGatewayApi {json.dumps(routes)}", True)


def _inside(config: Json, key: str) -> Json:
    """A ConfigMap's value, which is JSON."""
    try:
        found: Json = json.loads((config.get("data") or {}).get(key) or "{}")
    except ValueError:
        return {}
    return found


def gateway_api(kubectl: Kubectl) -> Iterator[Finding]:
    crd = kubectl.find(CRDS, "httproutes.gateway.networking.k8s.io")
    get = parts.GATEWAY_API
    if crd is None:
        yield Finding("gateway api", "not installed: no rollout can be routed", False, get, True)
        return
    notes = crd["metadata"].get("annotations") or {}
    version = notes.get("gateway.networking.k8s.io/bundle-version", "of unknown version")
    said = f"{version}, channel {notes.get('gateway.networking.k8s.io/channel', 'unknown')}"
    old = bool(number(version)) and number(version) < GATEWAY_API
    yield Finding("gateway api", said, not old, f"upgrade it to {text(GATEWAY_API)} or newer: {get}", True)


def gateways(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    classes = listed(kubectl, "gatewayclasses.gateway.networking.k8s.io")
    gateways = listed(kubectl, "gateways.gateway.networking.k8s.io", "--all-namespaces")
    if not classes:
        get = f"{parts.ENVOY_GATEWAY} && {parts.GATEWAY_CLASS} && {parts.GATEWAY}"
        yield Finding("gateway", "no GatewayClass is there", False, get, True)
        return
    reached = [one for one in gateways if holds(one, "Programmed")]
    for one in classes:
        name, controller = one["metadata"]["name"], one["spec"]["controllerName"]
        of = [gateway for gateway in gateways if gateway["spec"]["gatewayClassName"] == name]
        programmed = sum(gateway in reached for gateway in of)
        said = f"class {name} of {_maker(controller, deployments)}: {programmed} of {len(of)} programmed"
        if of and not programmed:
            said += f": {because(of[0], 'Programmed')}"
        yield Finding("gateway", said, programmed > 0, _to_program(name, of), needed=not reached)


def _maker(controller: str, deployments: Deployments) -> str:
    """Who answers to a GatewayClass, with the version of what runs; without where that is not seen."""
    name, held = next(
        (known for start, known in GATEWAYS.items() if controller.startswith(start)), (controller, "")
    )
    runs = [one for one in deployments or () if held and held in image(one)]
    return f"{name} {tag(runs[0])}" if runs else name


def _to_program(name: str, of: Sequence[Json]) -> str:
    """What helps a GatewayClass none of whose Gateways is programmed."""
    if of:
        meta = of[0]["metadata"]
        return (
            f"kubectl describe gateway {meta['name']} -n {meta['namespace']}; where nothing gives out addresses for "
            "load balancers: docs/install.md#kserve-and-a-gateway"
        )
    if name == "envoy":
        return parts.GATEWAY
    change = f"s/gatewayClassName: envoy/gatewayClassName: {name}/"
    return f"sed '{change}' manifests/gateway/gateway.yaml | kubectl apply -f -"


def optional(kubectl: Kubectl, part: Part, deployments: Deployments) -> Finding:
    crd = kubectl.find(CRDS, part.crd) if part.crd else None
    runs = deployment(deployments, part.deployment)
    if runs is not None:
        return Finding(part.name, f"{tag(runs)} in {runs['metadata']['namespace']}", True)
    if crd is not None:
        version = (crd["metadata"].get("annotations") or {}).get("operator.prometheus.io/version")
        return Finding(part.name, f"kinds {version}" if version else "its kinds are there", True)
    return Finding(part.name, f"not seen; wanted for {part.wanted_for}", False, part.remedy)
