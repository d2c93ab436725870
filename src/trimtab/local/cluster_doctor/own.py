"""trimtab's own in a cluster: its kinds, its operator, its releases, and where its pods and volumes go."""

import re
from collections.abc import Iterator
from typing import Any, Final

from trimtab.adapters import hindrance
from trimtab.adapters.kserve.told import MODEL_FORMAT, takes
from trimtab.adapters.kubectl import Kubectl, NotAllowed
from trimtab.adapters.kubernetes import parts
from trimtab.api.resources.crd import definition
from trimtab.api.resources.meta import GROUP
from trimtab.local.cluster_doctor.reading import CRDS, OPERATOR, Deployments, Json, image, listed, operators
from trimtab.local.doctor import Finding

UPGRADE: Final = "helm upgrade --install trimtab helm/trimtab -n trimtab-system"
IN_PODS: Final = (
    "helm upgrade trimtab helm/trimtab -n trimtab-system --reuse-values --set config.collector.storage="
)
"""Or `config.collector.storageClass=NAME`."""
IMAGES: Final = (
    "make images, give them to the nodes or to a registry, and name them there: docs/install.md#with-helm"
)
UNDER_WAY: Final = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling", "failed")
LAID: Final = "storageclass.kubernetes.io/is-default-class"
ENFORCED: Final = "pod-security.kubernetes.io/enforce"


def kinds(kubectl: Kubectl) -> Iterator[Finding]:
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


def operator(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    if deployments is None:
        return
    ours = operators(deployments)
    if not ours:
        yield Finding("operator", "not installed, or runs beside the cluster", False, UPGRADE, True)
    for one in ours:
        yield _replicas(kubectl, one)
    places = {one["metadata"]["namespace"] for one in ours} or {"trimtab-system"}
    for place in sorted(places):
        yield from _releases(kubectl, place)


def _replicas(kubectl: Kubectl, deployment: Json) -> Finding:
    """How many of an operator's are Ready; where it is not all of the newest, why."""
    namespace, status = deployment["metadata"]["namespace"], deployment.get("status") or {}
    ready, wished = status.get("availableReplicas", 0), deployment["spec"].get("replicas", 1)
    all_well = ready >= wished and not status.get("unavailableReplicas")
    because = "" if all_well else _hindrance(kubectl, deployment)
    said = f"{image(deployment)}: {ready} of {wished} replicas in {namespace}"
    return Finding(
        "operator", f"{said}: {because}" if because else said, ready >= 1 and not because,
        _to_start(because, namespace), needed=ready < 1,
    )  # fmt: skip


def _hindrance(kubectl: Kubectl, deployment: Json) -> str:
    """What keeps a Deployment's pods from being made or from starting; "" if nothing is known."""
    if said := hindrance.of_deployments([deployment]):
        return said
    labels, namespace = deployment["spec"]["selector"]["matchLabels"], deployment["metadata"]["namespace"]
    of_it = ",".join(f"{key}={value}" for key, value in labels.items())
    try:
        pods = kubectl.list("pods", "--namespace", namespace, "-l", of_it)
        if said := hindrance.of_pods(pods):
            return said
        waiting = [pod for pod in pods if pod.get("status", {}).get("phase") == "Pending"]
        order = ("--field-selector=reason=FailedMount", "--sort-by=.metadata.creationTimestamp")
        return hindrance.of_mounts(kubectl.list("events", "--namespace", namespace, *order), waiting)
    except NotAllowed:
        return ""


def _to_start(because: str, namespace: str) -> str:
    """The line that helps an operator whose pods are kept like that, or shows more of it."""
    of_it = f"-n {namespace} -l {OPERATOR[0]}={OPERATOR[1]}"
    if hindrance.IMAGE in because:
        return f"{IMAGES} (kubectl describe pods {of_it})"
    if hindrance.LOG in because:
        return f"kubectl logs --previous {of_it}"
    return f"kubectl describe deployment,pods {of_it}"


def runtime(kubectl: Kubectl) -> Iterator[Finding]:
    """Whether KServe, if it is there, knows what serves a model of ours in the rollouts' namespace."""
    if kubectl.find(CRDS, "inferenceservices.serving.kserve.io") is None:
        return
    held = [
        *listed(kubectl, "clusterservingruntimes.serving.kserve.io"),
        *listed(kubectl, "servingruntimes.serving.kserve.io", "--all-namespaces"),
    ]
    fitting = {one["metadata"].get("namespace", ""): one for one in held if takes(one, MODEL_FORMAT, None)}
    here = kubectl.namespace()
    found = fitting.get(here) or fitting.get("")
    if found is not None:
        where = f"{found['kind']} {found['metadata']['name']}"
        yield Finding("serving runtime", f"{where} serves model format {MODEL_FORMAT}", True)
        return
    elsewhere = f"in {here}; there is one in {', '.join(sorted(fitting))}" if fitting else "yet"
    yield Finding(
        "serving runtime", f"nothing serves model format {MODEL_FORMAT} {elsewhere}", False, parts.RUNTIME,
        needed=not fitting,
    )  # fmt: skip


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


def storage(kubectl: Kubectl, deployments: Deployments) -> Iterator[Finding]:
    classes = kubectl.list("storageclasses.storage.k8s.io")
    default = [
        one["metadata"]["name"]
        for one in classes
        if (one["metadata"].get("annotations") or {}).get(LAID) == "true"
    ]
    if default:
        yield Finding("storage class", f"default {', '.join(default)}", True)
        return
    wanted = any(_claims(kubectl, one) for one in operators(deployments))
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


def pod_security(kubectl: Kubectl) -> Iterator[Finding]:
    name = kubectl.namespace()
    found = kubectl.find("namespaces", name)
    if found is None:
        yield Finding("namespace", f"{name} is not there", False, f"kubectl create namespace {name}")
        return
    level = (found["metadata"].get("labels") or {}).get(ENFORCED, "privileged")
    fits = {
        "restricted": "collectors and the runtime `trimtab` fit; a container of your own must say runAsNonRoot, drop "
        "ALL capabilities and seccompProfile RuntimeDefault, the job of a RetrainPolicy securityContext: "
        "{runAsNonRoot: true}",
        "baseline": "all that trimtab makes fits",
    }
    yield Finding("pod security", f"{name} enforces {level}; {fits.get(level, 'nothing is refused')}", True)
