"""Manifests of others, read out of their Go modules; nothing of theirs is kept in this repository."""

from pathlib import Path
from typing import Literal

from tests.cluster.kube import versions
from tests.cluster.kube.golang import module

KSERVE_CRDS = (
    "inferenceservices",
    "servingruntimes",
    "clusterservingruntimes",
    "trainedmodels",
    "inferencegraphs",
)
KUBERAY_CRDS = ("rayclusters", "rayjobs", "rayservices")


def gateway_api_crds(channel: Literal["standard", "experimental"] = "standard") -> list[Path]:
    """GatewayClass, Gateway, HTTPRoute and the rest of one channel."""
    folder = module("sigs.k8s.io/gateway-api", versions.GATEWAY_API) / "config" / "crd" / channel
    return sorted(folder.glob("gateway.networking.*.yaml"))


def kserve_crds() -> list[Path]:
    """Those of KServe's predictive half, and the cluster storage containers that its webhook reads."""
    folder = kserve() / "config" / "crd" / "full"
    storage = folder / "clusterstoragecontainer" / "serving.kserve.io_clusterstoragecontainers.yaml"
    return [*(folder / f"serving.kserve.io_{name}.yaml" for name in KSERVE_CRDS), storage]


def kserve() -> Path:
    """KServe's source."""
    return module("github.com/kserve/kserve", versions.KSERVE)


def kserve_install() -> Path:
    """What `kubectl apply -f` of a release installs, CRDs aside."""
    return kserve() / "install" / versions.KSERVE / "kserve.yaml"


def kserve_cluster_resources() -> Path:
    """What a release installs for all namespaces: its serving runtimes."""
    return kserve() / "install" / versions.KSERVE / "kserve-cluster-resources.yaml"


def kuberay_crds() -> list[Path]:
    """RayCluster, RayJob and RayService."""
    folder = kuberay() / "config" / "crd" / "bases"
    return [folder / f"ray.io_{name}.yaml" for name in KUBERAY_CRDS]


def kuberay() -> Path:
    """The source of KubeRay's operator."""
    return module("github.com/ray-project/kuberay/ray-operator", versions.KUBERAY)


def kuberay_install() -> list[Path]:
    """Its account, its rights and its Deployment, as a release has them."""
    config = kuberay() / "config"
    rights = [config / "rbac" / f"{name}.yaml" for name in ("service_account", "role", "role_binding")]
    return [*rights, config / "manager" / "manager.yaml"]


def kueue() -> Path:
    """What `kubectl apply -k` of Kueue's installs, CRDs and all."""
    return module("sigs.k8s.io/kueue", versions.KUEUE) / "config" / "default"


def prometheus_operator_crds() -> list[Path]:
    """ServiceMonitor, PodMonitor and PrometheusRule, as the Prometheus operator ships them."""
    root = module("github.com/prometheus-operator/prometheus-operator", versions.PROMETHEUS_OPERATOR)
    folder = root / "example" / "prometheus-operator-crd"
    kinds = ("podmonitors", "prometheusrules", "servicemonitors")
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in kinds]
