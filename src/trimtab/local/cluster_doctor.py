"""What a cluster has of what trimtab rests on: which version, what is missing, and the line that gets it.

Read through the user's own kubectl. What that may not ask for is said to be unknown, and is no fault.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trimtab.adapters.kubectl import Kubectl, NotAllowed, NotServed
from trimtab.adapters.kubernetes import parts
from trimtab.api.resources.crd import definition
from trimtab.api.resources.meta import GROUP
from trimtab.local.doctor import Finding

Json = Mapping[str, Any]
Deployments = Sequence[Json] | None
"""Those of all namespaces; None where they may not be listed."""

KUBERNETES: Final = (1, 32)
GATEWAY_API: Final = (1, 4)
KSERVE: Final = (0, 20)
CRDS: Final = "customresourcedefinitions.apiextensions.k8s.io"
OPERATOR: Final = ("app.kubernetes.io/name", "trimtab-operator")
UPGRADE: Final = "helm upgrade --install trimtab helm/trimtab -n trimtab-system"
IN_PODS: Final = (
    "helm upgrade trimtab helm/trimtab -n trimtab-system --reuse-values --set config.collector.storage="
)
"""Or `config.collector.storageClass=NAME`."""
GATEWAYS: Final = {
    "gateway.envoyproxy.io": "Envoy Gateway",
    "istio.io": "Istio",
    "projectcontour.io": "Contour",
    "io.cilium": "Cilium",
    "traefik.io": "Traefik",
    "gateway.nginx.org": "NGINX Gateway Fabric",
    "networking.gke.io": "GKE",
}
"""Controller names begin so."""
UNDER_WAY: Final = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling", "failed")
LAID: Final = "storageclass.kubernetes.io/is-default-class"
ENFORCED: Final = "pod-security.kubernetes.io/enforce"


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
    Part("kuberay", "rayclusters.ray.io", "kuberay-operator", "training.where: kuberay, workers in pods of their own",
         parts.KUBERAY),
    Part("mlflow", "", "mlflow", "models that are named by an alias", parts.MLFLOW),
    Part("feast operator", "featurestores.feast.dev", "feast-operator", "a feature store that the cluster keeps",
         parts.FEAST),
    Part("prometheus", "podmonitors.monitoring.coreos.com", "prometheus-operator", "monitors and alerts",
         parts.PROMETHEUS),
)  # fmt: skip


def examine_cluster(kubectl: Kubectl) -> list[Finding]:
    """Look at the cluster of the context.

    Raises:
        SurroundingsFailed: it cannot be reached.
        InputRefused: there is no kubectl, or no such context.
    """
    found = [_kubernetes(kubectl.server())]
    try:
        deployments = kubectl.list("deployments.apps", "--all-namespaces")
    except NotAllowed as refused:
        found.append(_unknown(refused))
        deployments = None
    for look in (
        lambda: _kinds(kubectl),
        lambda: _operator(kubectl, deployments),
        lambda: _kserve(kubectl, deployments),
        lambda: _gateway_api(kubectl),
        lambda: _gateways(kubectl),
        lambda: (_optional(kubectl, part, deployments) for part in OPTIONAL),
        lambda: _storage(kubectl, deployments),
        lambda: _pod_security(kubectl),
    ):
        found += _tried(look)
    return found


def _tried(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What it finds; what may not be asked for is unknown."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except NotAllowed as refused:
        found.append(_unknown(refused))
    return found


def _unknown(refused: NotAllowed) -> Finding:
    return Finding("unknown", refused.message, False, "ask for the right to read it")


def _kubernetes(version: str) -> Finding:
    well = _number(version) >= KUBERNETES
    return Finding("kubernetes", version, well, f"upgrade it to {_text(KUBERNETES)} or newer", True)


def _kinds(kubectl: Kubectl) -> Iterator[Finding]:
    from trimtab.api.resources import RESOURCES

    for resource in RESOURCES:
        name = f"{resource.PLURAL}.{GROUP}"
        held = kubectl.find(CRDS, name)
        if held is None:
            yield Finding(resource.PLURAL, "the kind is not installed", False, UPGRADE, True)
            continue
        same = _schemas(held) == _schemas(definition(resource))
        said = "as of this trimtab" if same else "the kind is of another version than this trimtab"
        upgrade = f"{UPGRADE}, or kubectl apply --server-side -k manifests/crds"
        yield Finding(resource.PLURAL, said, same, upgrade, True)


def _schemas(crd: Json) -> Any:
    return {one["name"]: one["schema"] for one in crd["spec"]["versions"]}


def _operator(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    if deployments is None:
        return
    ours = _operators(deployments)
    if not ours:
        yield Finding("operator", "not installed, or runs beside the cluster", False, UPGRADE, True)
    for one in ours:
        meta, status = one["metadata"], one.get("status") or {}
        ready, wished = status.get("availableReplicas", 0), one["spec"].get("replicas", 1)
        said = f"{_image(one)}: {ready} of {wished} replicas in {meta['namespace']}"
        remedy = f"kubectl describe deployment,pods -n {meta['namespace']} -l {OPERATOR[0]}={OPERATOR[1]}"
        yield Finding("operator", said, ready >= 1, remedy, True)
    places = {one["metadata"]["namespace"] for one in ours} or {"trimtab-system"}
    for place in sorted(places):
        yield from _releases(kubectl, place)


def _releases(kubectl: Kubectl, namespace: str) -> Iterator[Finding]:
    """Releases of helm in a namespace whose latest revision did not end well."""
    latest: dict[str, tuple[int, str]] = {}
    for one in kubectl.list("secrets", "--namespace", namespace, "-l", "owner=helm"):
        labels = one["metadata"]["labels"]
        name, version = labels["name"], int(labels["version"])
        latest[name] = max(latest.get(name, (0, "")), (version, labels["status"]))
    for name, (version, status) in sorted(latest.items()):
        if status in UNDER_WAY:
            back = (
                f"helm rollback {name} -n {namespace}"
                if version > 1
                else f"helm uninstall {name} -n {namespace}"
            )
            yield Finding(
                "release", f"{name} in {namespace}: revision {version} is {status}", False,
                f"if no helm is at work now: {back}, then upgrade again", True,
            )  # fmt: skip


def _kserve(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    if kubectl.find(CRDS, "inferenceservices.serving.kserve.io") is None:
        yield Finding("kserve", "not installed: nothing serves a rollout", False, parts.KSERVE, True)
        return
    manager = _deployment(deployments, "kserve-controller")
    if manager is None:
        yield Finding("kserve", "its kinds are there, its manager is not seen", False, parts.KSERVE)
        return
    version, namespace = _tag(manager), manager["metadata"]["namespace"]
    well = not _number(version) or _number(version) >= KSERVE
    yield Finding(
        "kserve",
        f"{version} in {namespace}",
        well,
        f"upgrade it to {_text(KSERVE)} or newer: {parts.KSERVE}",
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


def _gateway_api(kubectl: Kubectl) -> Iterator[Finding]:
    crd = kubectl.find(CRDS, "httproutes.gateway.networking.k8s.io")
    get = parts.GATEWAY_API
    if crd is None:
        yield Finding("gateway api", "not installed: no rollout can be routed", False, get, True)
        return
    notes = crd["metadata"].get("annotations") or {}
    version = notes.get("gateway.networking.k8s.io/bundle-version", "of unknown version")
    said = f"{version}, channel {notes.get('gateway.networking.k8s.io/channel', 'unknown')}"
    old = bool(_number(version)) and _number(version) < GATEWAY_API
    yield Finding("gateway api", said, not old, f"upgrade it to {_text(GATEWAY_API)} or newer: {get}", True)


def _gateways(kubectl: Kubectl) -> Iterator[Finding]:
    classes = _listed(kubectl, "gatewayclasses.gateway.networking.k8s.io")
    gateways = _listed(kubectl, "gateways.gateway.networking.k8s.io", "--all-namespaces")
    if not classes:
        get = f"{parts.ENVOY_GATEWAY} && {parts.GATEWAY_CLASS} && {parts.GATEWAY}"
        yield Finding("gateway", "no GatewayClass is there", False, get, True)
        return
    reached = [one for one in gateways if _holds(one, "Programmed")]
    for one in classes:
        name, controller = one["metadata"]["name"], one["spec"]["controllerName"]
        names = (known for start, known in GATEWAYS.items() if controller.startswith(start))
        of = [gateway for gateway in gateways if gateway["spec"]["gatewayClassName"] == name]
        programmed = sum(gateway in reached for gateway in of)
        said = f"class {name} of {next(names, controller)}: {programmed} of {len(of)} programmed"
        if of and not programmed:
            said += f": {_because(of[0], 'Programmed')}"
        yield Finding("gateway", said, programmed > 0, _to_program(name, of), needed=not reached)


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


def _optional(kubectl: Kubectl, part: Part, deployments: Deployments) -> Finding:
    crd = kubectl.find(CRDS, part.crd) if part.crd else None
    runs = _deployment(deployments, part.deployment)
    if runs is not None:
        return Finding(part.name, f"{_tag(runs)} in {runs['metadata']['namespace']}", True)
    if crd is not None:
        version = (crd["metadata"].get("annotations") or {}).get("operator.prometheus.io/version")
        return Finding(part.name, f"kinds {version}" if version else "its kinds are there", True)
    return Finding(part.name, f"not seen; wanted for {part.wanted_for}", False, part.remedy)


def _storage(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    classes = kubectl.list("storageclasses.storage.k8s.io")
    default = [
        one["metadata"]["name"]
        for one in classes
        if (one["metadata"].get("annotations") or {}).get(LAID) == "true"
    ]
    if default:
        yield Finding("storage class", f"default {', '.join(default)}", True)
        return
    wanted = any(_claims(kubectl, one) for one in _operators(deployments))
    names = [one["metadata"]["name"] for one in classes]
    mark = f"kubectl annotate storageclass {names[0]} {LAID}=true; or" if names else "make one; or"
    yield Finding(
        "storage class", "there is no default: the volumes of collectors would wait for ever", False,
        f"{mark} name one, or keep logs in the pods: {IN_PODS}", wanted,
    )  # fmt: skip


def _claims(kubectl: Kubectl, operator: Json) -> bool:
    """Whether collectors of this operator claim a volume of the default class."""
    volumes = operator["spec"]["template"]["spec"].get("volumes") or []
    sources = [
        source for volume in volumes for source in (volume.get("projected") or {}).get("sources") or []
    ]
    for source in sources:
        name = (source.get("configMap") or {}).get("name")
        held = kubectl.find("configmaps", name, operator["metadata"]["namespace"]) if name else None
        text = (held.get("data") or {}).get("config.yaml", "") if held else ""
        if re.search(r"storageClass: *[^\s\"'}]", text) or re.search(r"storage: *(\"\"|'')", text):
            return False
    return True


def _pod_security(kubectl: Kubectl) -> Iterator[Finding]:
    name = kubectl.namespace()
    found = kubectl.find("namespaces", name)
    if found is None:
        yield Finding("namespace", f"{name} is not there", False, f"kubectl create namespace {name}")
        return
    level = (found["metadata"].get("labels") or {}).get(ENFORCED, "privileged")
    fits = {
        "restricted": "collectors and the runtime `trimtab` fit; a container of your own must say runAsNonRoot, drop "
        "ALL capabilities and seccompProfile RuntimeDefault",
        "baseline": "all that trimtab makes fits",
    }
    yield Finding("pod security", f"{name} enforces {level}; {fits.get(level, 'nothing is refused')}", True)


def _listed(kubectl: Kubectl, resource: str, *more: str) -> Sequence[Json]:
    """All of a kind; none where it is not served."""
    try:
        return kubectl.list(resource, *more)
    except NotServed:
        return ()


def _operators(deployments: Deployments) -> list[Json]:
    key, value = OPERATOR
    return [one for one in deployments or () if (one["metadata"].get("labels") or {}).get(key) == value]


def _deployment(deployments: Deployments, word: str) -> Json | None:
    """The first whose name or image has the word in it."""
    return next(
        (one for one in deployments or () if word in one["metadata"]["name"] or word in _image(one)), None
    )


def _image(deployment: Json) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _tag(deployment: Json) -> str:
    _, _, tag = _image(deployment).partition("@")[0].rpartition("/")[2].partition(":")
    return tag or "of unknown version"


def _holds(obj: Json, kind: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _because(obj: Json, kind: str) -> str:
    """What a condition says; where nobody has looked at the object, that."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    found = next((one for one in conditions if one["type"] == kind), None)
    return f"{found['reason']}: {found['message']}" if found else "no controller has looked at it"


def _number(version: str) -> tuple[int, ...]:
    """Major and minor.

    >>> _number("v1.36.4")
    (1, 36)
    >>> _number("latest")
    ()
    """
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else ()


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
