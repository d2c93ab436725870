"""`trimtab doctor --cluster`: on an API server that has nothing, and on one that has what a team would have."""

import json
import re
import shlex

import pytest

from tests.cluster.control_plane.chart.release import CHART, ROOT, SYSTEM, helm, kubectl
from trimtab.adapters.kubernetes import parts
from trimtab.ports.cluster import Kind

pytestmark = pytest.mark.xdist_group("chart")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
SECRET = Kind("", "v1", "Secret", "secrets")
STORAGE = "storageclass.kubernetes.io/is-default-class"


def test_an_empty_cluster_lacks_what_is_needed_and_gets_the_lines(doctor, bare_plane):
    status, found = doctor(bare_plane.kubeconfig, "-n", "nowhere")
    assert status == 1
    assert found["kubernetes"]["well"]
    needed = {
        "modelrollouts",
        "driftmonitors",
        "retrainpolicies",
        "operator",
        "kserve",
        "gateway api",
        "gateway",
    }
    assert {what for what, one in found.items() if one["needed"] and not one["well"]} == needed
    commands = re.compile(r"\b(kubectl|helm|sed) ")
    assert [w for w, one in found.items() if not one["well"] and not commands.search(one["remedy"])] == []
    assert {"kfp", "kuberay", "mlflow", "feast operator", "prometheus"} <= {
        w for w, o in found.items() if not o["well"]
    }
    assert "there is no default" in found["storage class"]["said"]
    assert "kubectl create namespace nowhere" in found["namespace"]["remedy"]


def test_a_cluster_that_cannot_be_reached_is_4(doctor, tmp_path):
    there = {"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [there], "contexts": [context], "current-context": "x",
              "users": [{"name": "x", "user": {"token": "x"}}]}  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    status, said = doctor(path)
    assert status == 4
    assert "remedy: see `kubectl cluster-info`" in said


def deployed(cluster, name, namespace, image):
    labels = {"app": name}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    cluster.create(
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": pod},
        }
    )  # fmt: skip


def of_a_platform(cluster):
    """KServe, a gateway, a registry and the rest, as far as an API server shows them."""
    deployed(cluster, "kserve-controller-manager", "kserve", "kserve/kserve-controller:v0.20.0")
    deployed(cluster, "ml-pipeline", "kubeflow", "ghcr.io/kubeflow/kfp-api-server:2.17.0")
    deployed(cluster, "mlflow", "mlflow", "ghcr.io/mlflow/mlflow:v3.17.2")
    config = {
        "deploy": json.dumps({"defaultDeploymentMode": "Serverless"}),
        "ingress": json.dumps({"enableGatewayApi": True}),
    }
    meta = {"name": "inferenceservice-config", "namespace": "kserve"}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": config})
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1"}
    spec = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
    cluster.create({**gateway, "kind": "GatewayClass", "metadata": {"name": "envoy"}, "spec": spec})
    cluster.create(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "fast"},
            "provisioner": "x/y",
        }
    )
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.merge(
        Kind("", "v1", "Namespace", "namespaces", namespaced=False),
        "",
        "shop",
        {"metadata": {"labels": labels}},
    )


def test_what_is_there_is_told_with_its_version(doctor, full_plane):
    cluster = full_plane.cluster
    of_a_platform(cluster)
    status, found = doctor(full_plane.kubeconfig, "-n", "shop")
    assert status == 1  # no replica of the operator is ready: no pods run here
    assert "0 of 2 replicas in trimtab-system" in found["operator"]["said"]
    assert all(
        found[kind]["said"] == "as of this trimtab"
        for kind in ("modelrollouts", "driftmonitors", "retrainpolicies")
    )
    assert found["kserve"] == {**found["kserve"], "said": "v0.20.0 in kserve", "well": True}
    assert "Serverless; revisions say Standard themselves" in found["kserve config"]["said"]
    assert found["serving runtime"]["said"] == "ClusterServingRuntime trimtab serves model format trimtab"
    assert found["gateway api"]["said"].startswith("v1.5.1, channel standard")
    assert "class envoy of Envoy Gateway: 0 of 0 programmed" in found["gateway"]["said"]
    assert found["gateway"]["needed"]
    assert found["gateway"]["remedy"] == "kubectl apply -f manifests/gateway/gateway.yaml"
    assert found["kfp"]["said"] == "2.17.0 in kubeflow"
    assert found["mlflow"]["said"] == "v3.17.2 in mlflow"
    assert found["prometheus"]["said"].startswith("kinds 0.87")
    assert not found["kuberay"]["well"]
    assert found["storage class"]["needed"]
    assert f"kubectl annotate storageclass fast {STORAGE}=true" in found["storage class"]["remedy"]
    assert "shop enforces restricted" in found["pod security"]["said"]


OPERATORS = {
    "kuberay": ("kuberay-operator", "kuberay-system", "quay.io/kuberay/operator:v1.5.1"),
    "feast operator": (
        "feast-operator-controller-manager", "feast-operator-system", "quay.io/feastdev/feast-operator:0.67.0",
    ),
    "prometheus": (
        "prometheus-kube-prometheus-operator", "monitoring",
        "quay.io/prometheus-operator/prometheus-operator:v0.87.0@sha256:" + "0" * 64,
    ),
}  # fmt: skip
"""Name, namespace and image of each operator's Deployment, as its project's release or chart makes it."""


def test_operators_are_found_by_what_runs_with_its_version(doctor, full_plane):
    for name, namespace, image in OPERATORS.values():
        deployed(full_plane.cluster, name, namespace, image)
    try:
        _, found = doctor(full_plane.kubeconfig)
    finally:
        for name, namespace, _ in OPERATORS.values():
            full_plane.cluster.delete(DEPLOYMENT, namespace, name)
    said = {what: found[what]["said"] for what in OPERATORS}
    assert said == {
        "kuberay": "v1.5.1 in kuberay-system",
        "feast operator": "0.67.0 in feast-operator-system",
        "prometheus": "v0.87.0 in monitoring",
    }
    assert all(found[what]["well"] for what in OPERATORS)


def test_a_gateway_s_proxies_are_not_taken_for_what_makes_them(doctor, full_plane):
    kind = Kind("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", namespaced=False)
    made = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "of-two"},
    }
    spec = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
    full_plane.cluster.create({**made, "spec": spec})
    proxy = ("envoy-gateways-public-1a2b3c", "proxies", "docker.io/envoyproxy/envoy:distroless-v1.37.0")
    deployed(full_plane.cluster, *proxy)
    try:
        said = doctor(full_plane.kubeconfig)[1]["gateway"]["said"]
    finally:
        full_plane.cluster.delete(DEPLOYMENT, proxy[1], proxy[0])
        full_plane.cluster.delete(kind, "", "of-two")
    assert said == "class of-two of Envoy Gateway: 0 of 0 programmed"


def test_a_gateway_is_needed_until_one_is_programmed_and_the_line_makes_one(doctor, full_plane):
    cluster = full_plane.cluster
    kind = Kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
    kubectl(full_plane.kubeconfig, *shlex.split(parts.GATEWAY_CLASS)[1:])
    remedy = doctor(full_plane.kubeconfig, "-n", "shop")[1]["gateway"]["remedy"]
    kubectl(full_plane.kubeconfig, *shlex.split(remedy)[1:])
    try:
        found = doctor(full_plane.kubeconfig, "-n", "shop")[1]["gateway"]
        assert found["needed"]
        assert "0 of 1 programmed: Pending: Waiting for controller" in found["said"]
        assert "kubectl describe gateway public -n gateways" in found["remedy"]
        held = cluster.read(kind, "gateways", "public")
        said = {"type": "Programmed", "status": "True", "reason": "Programmed", "message": ""}
        said["lastTransitionTime"] = "2026-11-01T00:00:00Z"
        cluster.write_status({**held, "status": {"conditions": [said]}})
        found = doctor(full_plane.kubeconfig, "-n", "shop")[1]["gateway"]
        assert (found["well"], found["needed"]) == (True, False)
    finally:
        cluster.delete(kind, "gateways", "public")


def test_it_sees_that_collectors_want_no_volume_or_that_there_is_a_default(doctor, full_plane, tmp_path):
    there = helm(tmp_path, full_plane.kubeconfig)
    upgrade = ("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--set", "monitoring.dashboards=true")
    there.done(*upgrade, "--set", "config.collector.storage=")
    assert not doctor(full_plane.kubeconfig, "-n", "shop")[1]["storage class"]["needed"]
    there.done(*upgrade)
    kind = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
    meta = {"name": "standard", "annotations": {STORAGE: "true"}}
    full_plane.cluster.create(
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta, "provisioner": "x/y"}
    )
    assert doctor(full_plane.kubeconfig)[1]["storage class"]["well"]
    full_plane.cluster.delete(kind, "", "standard")


def test_kinds_of_another_version_and_a_half_finished_upgrade_are_seen(doctor, bare_plane, tmp_path):
    import yaml

    from tests.cluster.kube.manifests import remove_kind, wait_until_served

    cluster = bare_plane.cluster
    old = yaml.safe_load((ROOT / "manifests" / "crds" / "driftmonitors.yaml").read_text())
    spec = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["falseAlarms"]
    cluster.create(old)
    wait_until_served(cluster, "driftmonitors.trimtab.dev")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    for version, state in ((1, "deployed"), (2, "pending-upgrade")):
        labels = {"owner": "helm", "name": "trimtab", "version": str(version), "status": state}
        meta = {"name": f"sh.helm.release.v1.trimtab.v{version}", "namespace": SYSTEM, "labels": labels}
        cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "helm.sh/release.v1"})
    try:
        _, found = doctor(bare_plane.kubeconfig)
    finally:
        remove_kind(cluster, "driftmonitors.trimtab.dev")
        for secret in cluster.list(SECRET, SYSTEM):
            cluster.delete(SECRET, SYSTEM, secret["metadata"]["name"])
    assert found["driftmonitors"]["said"] == "the kind is of another version than this trimtab"
    assert found["release"]["said"] == "trimtab in trimtab-system: revision 2 is pending-upgrade"
    assert "helm rollback trimtab -n trimtab-system" in found["release"]["remedy"]


def test_what_one_may_not_ask_for_is_unknown_and_no_fault_of_the_cluster(doctor, full_plane, tmp_path):
    login = full_plane.login("somebody", ())
    status, found = doctor(login.write(tmp_path / "kubeconfig"), "-n", "shop")
    assert status in (0, 1)
    assert found["unknown"]["remedy"] == "ask for the right to read it"
    assert not found["unknown"]["needed"]
