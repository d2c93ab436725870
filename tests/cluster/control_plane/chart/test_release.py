"""Releases on an API server, by helm itself: installed, upgraded, changed, two at a time, gone.

No pods run here; that the operator answers is played where helm waits for a pod of its own.
"""

import threading
from contextlib import contextmanager

import pytest
import yaml

from tests.cluster.control_plane.chart.release import (
    CHART,
    DEFAULT_ACCOUNT,
    SYSTEM,
    former,
    helm,
    kubectl,
    person,
)
from trimtab.ports.cluster import Kind

pytestmark = pytest.mark.xdist_group("chart")
CRD = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
POD = Kind("", "v1", "Pod", "pods")
MONITOR = Kind("trimtab.dev", "v1alpha1", "DriftMonitor", "driftmonitors")


@contextmanager
def helm_there(bare_plane):
    for name in (SYSTEM, "shop", "team-b"):
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if name == SYSTEM else {}
        bare_plane.cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        )
    bare_plane.cluster.create(DEFAULT_ACCOUNT)
    yield helm(bare_plane.folder / "helm", bare_plane.kubeconfig)


@pytest.fixture
def release(for_group, bare_plane):
    """helm on an API server that has nothing, in a namespace that admits restricted pods alone."""
    return for_group(helm_there, bare_plane)


@pytest.fixture
def cleaned(release, bare_plane):
    """Whatever a test installed is gone after it, kinds too."""
    from tests.cluster.kube.manifests import remove_kind

    yield
    for one in yaml.safe_load(release.done("list", "-A", "-o", "json")):
        release.done("uninstall", one["name"], "-n", one["namespace"], "--no-hooks")
    for pod in bare_plane.cluster.list(POD, SYSTEM):  # of a `helm test` that failed: kept for its log
        bare_plane.cluster.delete(POD, SYSTEM, pod["metadata"]["name"])
    for crd in crds(bare_plane):
        remove_kind(bare_plane.cluster, crd["metadata"]["name"])


def crds(plane):
    return [one for one in plane.cluster.list(CRD, "") if one["spec"]["group"] == "trimtab.dev"]


def everything(plane):
    """Names of all objects that carry a label of the chart, CRDs aside."""
    kinds = kubectl(plane.kubeconfig, "api-resources", "--verbs=list", "-o", "name").stdout.split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "customresourcedefinitions"))]
    of_ours = ("-A", "-l", "app.kubernetes.io/part-of=trimtab", "-o", "name")
    return kubectl(plane.kubeconfig, "get", ",".join(kinds), *of_ours).stdout.split()


def schema_of(plane, kind="driftmonitors.trimtab.dev"):
    held = plane.cluster.read(CRD, "", kind)
    return held["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def test_a_release_lives_through_install_upgrade_change_and_uninstall(release, bare_plane, cleaned, tmp_path):
    from tests.cluster.kube.manifests import wait_until_served

    package = release.done("package", str(former(tmp_path)), "-d", str(tmp_path)).split()[-1]
    release.done("install", "trimtab", package, "-n", SYSTEM)
    wait_until_served(bare_plane.cluster, "driftmonitors.trimtab.dev")
    meta, spec = {"name": "flights", "namespace": "shop"}, {"target": {"rolloutRef": "flights"}}
    monitor = {"apiVersion": "trimtab.dev/v1alpha1", "kind": "DriftMonitor", "metadata": meta, "spec": spec}
    bare_plane.cluster.create(monitor)
    assert "falseAlarms" not in schema_of(bare_plane)

    said = release.done("upgrade", "trimtab", str(CHART), "-n", SYSTEM)
    assert "STATUS: deployed" in said
    assert "falseAlarms" in schema_of(bare_plane)
    assert any("networkpolicy" in one for one in everything(bare_plane))

    release.done("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--reuse-values", "--set", "replicas=1")
    held = bare_plane.cluster.read(DEPLOYMENT, SYSTEM, "trimtab-operator")
    assert held["spec"]["replicas"] == 1
    assert not any("poddisruptionbudget" in one for one in everything(bare_plane))
    release.done("rollback", "trimtab", "2", "-n", SYSTEM)
    assert bare_plane.cluster.read(DEPLOYMENT, SYSTEM, "trimtab-operator")["spec"]["replicas"] == 2

    release.done("uninstall", "trimtab", "-n", SYSTEM)
    assert everything(bare_plane) == []
    assert len(crds(bare_plane)) == 3
    assert bare_plane.cluster.read(MONITOR, "shop", "flights") is not None

    # what was kept is taken up again by a release of the same name
    release.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    bare_plane.cluster.delete(MONITOR, "shop", "flights")


def test_without_kserve_gateway_and_prometheus_it_installs_and_says_what_is_missing(
    release, bare_plane, cleaned
):
    said = release.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    assert "KServe is not in this cluster" in said
    assert "Gateway API is not in this cluster" in said
    assert "monitors and alerts were left out" in said
    assert (
        "The ServingRuntime, which serves models of format trimtab, is of KServe's kinds and was left out"
        in said
    )
    commands = [line for line in said.splitlines() if line.startswith(("  kubectl", "  trimtab"))]
    assert len(commands) == 3


def test_once_kserve_has_come_the_doctor_s_line_makes_the_runtime(
    release, bare_plane, cleaned, doctor, tmp_path
):
    from tests.cluster.control_plane.chart.conftest import light_crds
    from tests.cluster.kube.manifests import put, remove_kind, wait_until_served

    release.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    assert "serving runtime" not in doctor(bare_plane.kubeconfig)[1], "KServe is what is missing"
    came = [one for one in light_crds() if one["spec"]["group"] == "serving.kserve.io"]
    names = [one["metadata"]["name"] for one in came]
    put(bare_plane.cluster, came)
    try:
        for name in names:
            wait_until_served(bare_plane.cluster, name)
        missed = doctor(bare_plane.kubeconfig, "-n", "shop")[1]["serving runtime"]
        assert missed["said"] == "nothing serves model format trimtab yet"
        assert (missed["well"], missed["needed"]) == (False, True)
        line, _, without_helm = missed["remedy"].partition(" (or ")
        person(f"{line} --set 'namespaces={{shop}}'", tmp_path, bare_plane.kubeconfig)
        here, there = (
            doctor(bare_plane.kubeconfig, "-n", name)[1]["serving runtime"] for name in ("shop", "team-b")
        )
        assert here["said"] == "ServingRuntime trimtab serves model format trimtab"
        assert there["said"] == "nothing serves model format trimtab in team-b; there is one in shop"
        assert (here["well"], there["well"], there["needed"]) == (True, False, False)
        person(without_helm.removesuffix(")"), tmp_path, bare_plane.kubeconfig)
        there = doctor(bare_plane.kubeconfig, "-n", "team-b")[1]["serving runtime"]
        assert there["said"] == "ClusterServingRuntime trimtab serves model format trimtab"
        release.done("uninstall", "trimtab", "-n", SYSTEM)
    finally:
        for name in names:
            remove_kind(bare_plane.cluster, name)


def test_a_second_release_for_everything_is_refused_and_told_why(release, bare_plane, cleaned):
    release.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    said = release.refused("install", "second", str(CHART), "-n", "shop", "--set", "crds.install=false")
    assert f"release {SYSTEM}/trimtab already looks after namespaces * of this cluster" in said
    assert "give each release its own `namespaces`" in said


def test_two_releases_share_a_cluster_but_no_namespace(release, bare_plane, cleaned):
    release.done("install", "trimtab", str(CHART), "-n", SYSTEM, "--set", "namespaces={shop}")
    second = ("install", "second", str(CHART), "-n", "team-b", "--set", "namespaces={team-b}")
    assert "--set crds.install=false" in release.refused(*second)
    release.done(*second, "--set", "crds.install=false")
    said = release.refused(
        "upgrade",
        "second",
        str(CHART),
        "-n",
        "team-b",
        "--set",
        "crds.install=false,namespaces={shop,team-b}",
    )
    assert f"release {SYSTEM}/trimtab already looks after namespace shop" in said
    names = {one["metadata"]["name"] for one in bare_plane.cluster.list(DEPLOYMENT, "team-b")}
    assert names == {"second-trimtab-operator"}
    release.done("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--set", "namespaces={shop},replicas=1")


def test_helm_test_asks_the_operator(release, bare_plane, cleaned):
    release.done("install", "trimtab", str(CHART), "-n", SYSTEM)
    with pods_that_end(bare_plane, "Succeeded"):
        assert "Phase:          Succeeded" in release.done(
            "test", "trimtab", "-n", SYSTEM, "--timeout", "60s"
        )
    with pods_that_end(bare_plane, "Failed"):
        assert "failed" in release.refused("test", "trimtab", "-n", SYSTEM, "--timeout", "60s")


@contextmanager
def pods_that_end(plane, phase):
    """The kubelet's part: each pod of the release's namespace ends so."""
    from tests.cluster.kube.poll import eventually

    over = threading.Event()

    def play():
        def ended():
            for pod in plane.cluster.list(POD, SYSTEM):
                if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                    plane.cluster.merge(
                        POD, SYSTEM, pod["metadata"]["name"], {"status": {"phase": phase}}, status=True
                    )
            return over.is_set()

        eventually("the test is over", ended, 120)

    player = threading.Thread(target=play)
    player.start()
    try:
        yield
    finally:
        over.set()
        player.join()
