"""The chart's release with pods: by docs/install.md, in the image of the Dockerfile, asked by helm test; and away."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.conftest import took

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.kube.node import Node

SHOP = "shop"
VALUES = """\
config: {collector: {storage: ""}}
"""
KEPT = {
    f"customresourcedefinition.apiextensions.k8s.io/{kind}.trimtab.dev"
    for kind in ("modelrollouts", "driftmonitors", "retrainpolicies")
}


LEFT = {
    "configmap/kube-root-ca.crt",
    "serviceaccount/default",
    "serviceaccount/trimtab-pipelines",
    "serviceaccount/trimtab-rollout",
    "role.rbac.authorization.k8s.io/trimtab-pipelines",
    "role.rbac.authorization.k8s.io/trimtab-rollout",
    "rolebinding.rbac.authorization.k8s.io/trimtab-pipelines",
    "rolebinding.rbac.authorization.k8s.io/trimtab-rollout",
    "modelrollout.trimtab.dev/flights",
    "driftmonitor.trimtab.dev/flights",
    "retrainpolicy.trimtab.dev/flights",
}
"""In a team's namespace, when the release has gone: what the team applied."""
COLLECTOR = {
    "service",
    "statefulset.apps",
    "pod",
    "controllerrevision.apps",
    "endpoints",
    "endpointslice.discovery.k8s.io",
    "networkpolicy.networking.k8s.io",
}
"""And its collector, of these kinds, which goes on taking events."""


def test_a_release_is_installed_upgraded_and_asked_makes_collectors_and_goes_without_a_trace(
    bare: "Node", tmp_path: Path, record_property: "Callable[[str, object], None]"
) -> None:
    from tests.cluster.control_plane.chart.release import SYSTEM, former, install_page, person
    from tests.cluster.kube.poll import eventually

    former(tmp_path)
    with took(record_property, "helm install of the former chart, until both replicas are Ready"):
        person(install_page()[0].replace("helm/trimtab", "./former"), tmp_path, bare.kubeconfig)
        bare.wait_for_rollout(SYSTEM, "trimtab-operator", 300)
    assert images_of(bare, SYSTEM) == {"trimtab-operator:0.0.9"}
    with took(record_property, "helm upgrade to this one with a values file, until both are Ready anew"):
        (tmp_path / "values.yaml").write_text(VALUES)
        person(f"helm upgrade trimtab helm/trimtab -n {SYSTEM} -f values.yaml", tmp_path, bare.kubeconfig)
        bare.wait_for_rollout(SYSTEM, "trimtab-operator", 300)
    eventually("only new pods", lambda: images_of(bare, SYSTEM) == {"trimtab-operator:0.1.0"}, 60)
    assert "falseAlarms" in bare.kubectl("explain", "driftmonitor.spec"), (
        "a field that the former kind lacked"
    )
    with took(record_property, "helm test"):
        person(f"helm test trimtab -n {SYSTEM}", tmp_path, bare.kubeconfig)
    bare.kubectl("create", "namespace", SHOP)
    with took(
        record_property, "kubectl apply -k manifests/samples, until its namespace's collector is Ready"
    ):
        person(f"kubectl apply -n {SHOP} -k manifests/samples/", tmp_path, bare.kubeconfig)
        bare.wait("create", "statefulset", "trimtab-collector", SHOP, 120)
        bare.wait("jsonpath={.status.readyReplicas}=1", "statefulset", "trimtab-collector", SHOP, 120)
    pods = bare.list("pods", SYSTEM)
    assert not sum(one["restartCount"] for pod in pods for one in pod["status"]["containerStatuses"])

    with took(record_property, "helm uninstall, until no pod is left"):
        person(f"helm uninstall trimtab -n {SYSTEM} --wait", tmp_path, bare.kubeconfig)
        eventually("no pod", lambda: not bare.list("pods", SYSTEM), 120)
    assert of_release(bare) == set()
    assert {one for one in bare.kubectl("get", "crd", "-o", "name").split() if "trimtab.dev" in one} == KEPT
    assert left_in(bare, SYSTEM) == {
        "configmap/kube-root-ca.crt",
        "serviceaccount/default",
        "lease.coordination.k8s.io/trimtab-operator",  # as every elected controller leaves it
    }
    in_shop = {one for one in left_in(bare, SHOP) if "/trimtab-collector" not in one}
    assert in_shop == LEFT
    of_collector = {one.partition("/")[0] for one in left_in(bare, SHOP) - in_shop}
    assert of_collector == COLLECTOR
    assert bare.get("pod", "trimtab-collector-0", SHOP)["status"]["phase"] == "Running"


def images_of(cluster: "Node", namespace: str) -> set[str]:
    """What a namespace's containers run."""
    return {one["image"] for pod in cluster.list("pods", namespace) for one in pod["spec"]["containers"]}


def of_release(cluster: "Node") -> set[str]:
    """Whatever in the cluster says that it is of the release."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    listed = cluster.kubectl(
        "get", ",".join(kinds), "-A", "-l", "app.kubernetes.io/instance=trimtab", "-o", "name"
    )
    return set(listed.split())


def left_in(cluster: "Node", namespace: str) -> set[str]:
    """What is in a namespace but what tells of it."""
    told = {"events", "events.events.k8s.io"}
    kinds = cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    listed = cluster.kubectl("get", ",".join(sorted({*kinds} - told)), "-n", namespace, "-o", "name")
    return set(listed.split())
