"""KServe's own controller beside a control plane: its manager as a process, its webhooks called at 127.0.0.1."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError
from urllib.request import urlopen

from tests.cluster.kube import modules
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.control_plane import ControlPlane
from tests.cluster.kube.controllers import controller_manager, scheduler
from tests.cluster.kube.fake_nodes import fake_kubelet
from tests.cluster.kube.manifests import documents, install, put
from tests.cluster.kube.planes import running_control_plane
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.adapters.processes.loopback import Reservation, reserve
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Refused

TRIMTAB_CRDS = Path(__file__).resolve().parents[3] / "manifests" / "crds"
NAMESPACE = "kserve"
MANAGER = "kserve-controller-manager"
KINDS = {"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap"}
OTHER_PARTS = ("llm", "localmodel", "proxy")

Mode = Literal["Standard", "Serverless"]


@dataclass(frozen=True, slots=True)
class KServePlane:
    """A control plane on which an InferenceService becomes Ready, with pods that are not there.

    Attributes:
        manager, controllers, scheduler, kubelet: KServe's, Kubernetes' two, and kwok; to be stopped and started by
            a test that has them for itself.
    """

    plane: ControlPlane
    manager: Process
    controllers: Process
    scheduler: Process
    kubelet: Process


@contextmanager
def running_kserve_plane(mode: Mode = "Standard") -> Iterator[KServePlane]:
    """All of it, from nothing, and trimtab's CRDs.

    CRDs come first: kube-controller-manager looks for new kinds only twice a minute, and does not see the owner go
    whose kind it does not know.
    """
    with ExitStack() as stack:
        plane = stack.enter_context(running_control_plane())
        install(plane.cluster, [*modules.gateway_api_crds(), *modules.kserve_crds(), TRIMTAB_CRDS])
        controllers = stack.enter_context(controller_manager(plane))
        scheduling = stack.enter_context(scheduler(plane))
        kubelet = stack.enter_context(fake_kubelet(plane))
        manager = stack.enter_context(kserve_manager(plane, mode))
        yield KServePlane(plane, manager, controllers, scheduling, kubelet)


@contextmanager
def kserve_manager(plane: ControlPlane, mode: Mode = "Standard") -> Iterator[Process]:
    """KServe's manager under its own account and rules, then its webhooks.

    Args:
        plane: with KServe's CRDs and Gateway API's.
        mode: `Serverless` is what KServe ships; there is no Knative here.
    """
    folder = plane.folder / "kserve"
    webhook, probe = reserve("KServe's webhooks"), reserve("KServe's probe")
    put(plane.cluster, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
    put(plane.cluster, (configured(obj, mode) if obj["kind"] == "ConfigMap" else obj for obj in shipped()))
    manager = manager_process(plane, folder, webhook, probe)
    manager.start()
    try:
        eventually("KServe's manager is ready", lambda: ready(manager, probe.port))
        put(plane.cluster, webhooks(plane, webhook.port))
        eventually("KServe's webhooks judge", lambda: judged(plane))
        yield manager
    finally:
        manager.stop()
        webhook.close()
        probe.close()


def judged(plane: ControlPlane) -> bool:
    """Whether an InferenceService is refused that KServe refuses: the API server asks new webhooks a moment late."""
    api = "serving.kserve.io/v1beta1"
    wrong = {
        "apiVersion": api,
        "kind": "InferenceService",
        "metadata": {"name": "0-begins-with-a-digit", "namespace": "default"},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}},
    }
    try:
        plane.cluster.call("POST", f"/apis/{api}/namespaces/default/inferenceservices?dryRun=All", wrong)
    except Refused as refused:
        return "admission webhook" in str(refused)
    except SurroundingsFailed:
        return False  # they do not listen yet
    return False


def shipped() -> Iterator[dict[str, Any]]:
    """What a release installs for the manager: account, rules, configuration, storage containers."""
    for obj in documents([modules.kserve_install()], crds=False):
        name = obj["metadata"]["name"]
        if obj["kind"] in KINDS and not any(part in name for part in OTHER_PARTS):
            yield obj


def configured(config: dict[str, Any], mode: Mode) -> dict[str, Any]:
    """`inferenceservice-config`: as shipped, or with the mode and the Gateway API that trimtab asks for."""
    data = {key: value for key, value in config["data"].items() if key != "_example"}
    if mode == "Standard":
        ingress = {**json.loads(data["ingress"]), "enableGatewayApi": True, "disableIstioVirtualHost": True}
        data |= {"deploy": json.dumps({"defaultDeploymentMode": mode}), "ingress": json.dumps(ingress)}
    return {**config, "data": data}


def manager_process(plane: ControlPlane, folder: Path, webhook: Reservation, probe: Reservation) -> Process:
    """It reads its certificate from a fixed place under $TMPDIR, and listens on every address."""
    certificates = folder / "k8s-webhook-server" / "serving-certs"
    files = plane.keys.authority.server("kserve-webhooks", ["127.0.0.1"]).write(certificates, "tls")
    assert files.certificate.name == "tls.crt"
    user = plane.account(NAMESPACE, MANAGER).write(folder / "kubeconfig")
    return Process(
        "kserve-manager",
        [
            binary("kserve-manager"),
            f"--kubeconfig={user}",
            "--metrics-addr=0",
            f"--webhook-port={webhook.port}",
            f"--health-probe-addr=127.0.0.1:{probe.port}",
        ],
        plane.folder / "log" / "kserve-manager.log",
        {"TMPDIR": str(folder), "POD_NAMESPACE": NAMESPACE},
    )


def ready(manager: Process, port: int) -> bool:
    manager.check()
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def webhooks(plane: ControlPlane, port: int) -> Iterator[dict[str, Any]]:
    """The shipped ones of this manager, called by URL: no Service leads anywhere here."""
    authority = plane.authority_base64
    for obj in documents([modules.kserve_install()], crds=False):
        name = obj["metadata"]["name"]
        if not obj["kind"].endswith("WebhookConfiguration") or any(part in name for part in OTHER_PARTS):
            continue
        for hook in obj["webhooks"]:
            path = hook["clientConfig"]["service"]["path"]
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": authority}
        obj["metadata"].pop("annotations", None)
        yield obj
