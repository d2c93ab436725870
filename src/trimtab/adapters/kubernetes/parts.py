"""What a cluster needs beside trimtab, and the lines that get it: from the projects' own install pages.

docs/install.md, "KServe and a gateway", has the same lines, with what they do; a test holds the two together.
"""

from typing import Final

KSERVE_VERSION: Final = "v0.20.0"
ENVOY_GATEWAY_VERSION: Final = "v1.9.1"
GATEWAY_API_VERSION: Final = "v1.5.1"
KUBERAY_VERSION: Final = "1.5.1"
"""Those that trimtab is tested with."""
KFP_VERSION: Final = "2.17.0"
FEAST_VERSION: Final = "v0.67.0"
CERT_MANAGER_VERSION: Final = "v1.17.0"
"""That of KServe's own install script."""

ENVOY_GATEWAY: Final = (
    "helm upgrade --install eg oci://docker.io/envoyproxy/gateway-helm "
    f"--version {ENVOY_GATEWAY_VERSION} -n envoy-gateway-system --create-namespace"
)
"""Its chart brings the kinds of Gateway API too, and no GatewayClass."""
CERT_MANAGER: Final = (
    "helm upgrade --install cert-manager cert-manager --repo https://charts.jetstack.io "
    f"--version {CERT_MANAGER_VERSION} -n cert-manager --create-namespace --set crds.enabled=true --wait"
)
KSERVE_KINDS: Final = (
    "helm upgrade --install kserve-crd oci://ghcr.io/kserve/charts/kserve-crd "
    f"--version {KSERVE_VERSION} -n kserve --create-namespace"
)
_SET: Final = (
    "deploymentMode=Standard",
    "gateway.disableIstioVirtualHost=true",
    "gateway.ingressGateway.enableGatewayApi=true",
    "gateway.ingressGateway.kserveGateway=gateways/public",
)
KSERVE_MANAGER: Final = (
    "helm upgrade --install kserve oci://ghcr.io/kserve/charts/kserve-resources "
    f"--version {KSERVE_VERSION} -n kserve " + " ".join(f"--set kserve.controller.{one}" for one in _SET)
)
KSERVE: Final = f"{CERT_MANAGER} && {KSERVE_KINDS} && {KSERVE_MANAGER}"
GATEWAY_CLASS: Final = "kubectl apply -f manifests/gateway/gatewayclass.yaml"
GATEWAY: Final = "kubectl apply -f manifests/gateway/gateway.yaml"
GATEWAY_API: Final = (
    f"{ENVOY_GATEWAY} (for another gateway: kubectl apply --server-side -f https://github.com/kubernetes-sigs/"
    f"gateway-api/releases/download/{GATEWAY_API_VERSION}/standard-install.yaml)"
)
_KFP: Final = "github.com/kubeflow/pipelines/manifests/kustomize"
KFP: Final = (
    f"kubectl apply -k '{_KFP}/cluster-scoped-resources?ref={KFP_VERSION}' && "
    "kubectl wait crd/applications.app.k8s.io --for=condition=established --timeout=60s && "
    f"kubectl apply -k '{_KFP}/env/platform-agnostic?ref={KFP_VERSION}'"
)
KUBERAY: Final = (
    "helm upgrade --install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm "
    f"--version {KUBERAY_VERSION} -n kuberay-system --create-namespace"
)
MLFLOW: Final = (
    "kubectl apply -f manifests/overlays/local/mlflow.yaml (one to try things on; then config.providers.mlflow: "
    "[{name: mlflow, url: http://mlflow.trimtab-system.svc:5000}])"
)
FEAST: Final = (
    "kubectl apply --server-side -f https://raw.githubusercontent.com/feast-dev/feast/refs/tags/"
    f"{FEAST_VERSION}/infra/feast-operator/dist/install.yaml"
)
PROMETHEUS: Final = (
    "helm upgrade --install prometheus kube-prometheus-stack --repo "
    "https://prometheus-community.github.io/helm-charts -n monitoring --create-namespace"
)
RUNTIME: Final = (
    "helm upgrade trimtab helm/trimtab -n trimtab-system --reuse-values (or kubectl apply --server-side -f "
    "manifests/overlays/standard/servingruntimes.yaml)"
)
"""The chart makes its ServingRuntime where it finds KServe: one that was installed before KServe has made none."""
KINDS: Final = "kubectl apply --server-side -k manifests/crds"

_BY_GROUP: Final = {
    "serving.kserve.io": ("KServe", KSERVE),
    "gateway.networking.k8s.io": ("Gateway API", GATEWAY_API),
    "ray.io": ("KubeRay", KUBERAY),
    "trimtab.dev": ("trimtab's own kinds", KINDS),
}


def missing(group: str, kind: str) -> tuple[str, str]:
    """(a sentence, the line that helps), of a kind that the API server does not know.

    >>> missing("trimtab.dev", "ModelRollout")[0]
    "the cluster has no kind ModelRollout: trimtab's own kinds are not installed, or in an older version"
    """
    name, line = _BY_GROUP.get(group, (f"what makes {group}", "trimtab doctor --cluster"))
    verb = "are" if name.endswith("kinds") else "is"
    return f"the cluster has no kind {kind}: {name} {verb} not installed, or in an older version", line
