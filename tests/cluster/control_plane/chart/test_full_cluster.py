"""A cluster that has all that the chart may make use of: what is made there, and what the API server says of it."""

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import yaml

from tests.cluster.control_plane.chart.release import CHART, ROOT, SYSTEM, kubectl
from tests.cluster.control_plane.chart.schemas import OWN_KIND, write_schemas
from tests.cluster.control_plane.chart.values_sets import SETS
from tests.cluster.control_plane.leases import LONG_LEASE

pytestmark = pytest.mark.xdist_group("chart")


def test_what_the_cluster_knows_is_made_use_of(full_plane):
    kinds = "servicemonitors,podmonitors,prometheusrules,clusterservingruntimes,configmaps"
    made = kubectl(
        full_plane.kubeconfig, "get", kinds, "-A", "-l", "app.kubernetes.io/part-of=trimtab", "-o", "name"
    )
    assert len(made.stdout.split()) == 1 + 2 + 1 + 1 + 5


@pytest.mark.parametrize("name", SETS)
def test_the_api_server_takes_all_of_it_without_a_warning(full_plane, bare_helm, name, tmp_path):
    """Under another name, since a release is there; a dry run."""
    values = tmp_path / "values.yaml"
    values.write_text(
        yaml.safe_dump({**SETS[name], "fullnameOverride": "dry", "namespace": {"create": False}})
    )
    text = bare_helm.done(
        "template", "dry", str(CHART), "-n", SYSTEM, "-f", str(values), "--set", "crds.install=false",
        "--set", "monitoring.monitors=always,monitoring.alerts=always,servingRuntime.create=always",
    )  # fmt: skip
    said = kubectl(
        full_plane.kubeconfig, "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text
    )
    assert said.stderr == ""


@pytest.mark.parametrize("folder", ["base", "overlays/local", "overlays/standard", "overlays/gpu"])
def test_manifests_are_taken_without_a_warning(full_plane, folder):
    said = kubectl(
        full_plane.kubeconfig, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict",
        "-k", f"manifests/{folder}",
    )  # fmt: skip
    assert said.stderr == ""


def test_samples_are_taken(full_plane):
    for folder in ("manifests/samples", "manifests/samples/gpu"):
        said = kubectl(full_plane.kubeconfig, "apply", "-n", "shop", "--dry-run=server", "-k", folder)
        assert said.stderr == ""


def test_the_script_of_helm_test_sees_the_leader(full_plane, tmp_path):
    """The very script, beside the operator's process."""
    from tests.cluster.kube.poll import eventually

    config, log = tmp_path / "config.yaml", tmp_path / "log"
    lease = json.dumps({"namespace": "shop", **LONG_LEASE})
    config.write_text(f"namespaces: [shop]\nlease: {lease}\nlisten: {{host: 127.0.0.1, port: 0}}\n")
    with log.open("wb") as out:
        operator = subprocess.Popen(
            [sys.executable, "-m", "operators.drift", "--config", config, "--kubeconfig", full_plane.kubeconfig],
            cwd=ROOT, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        port = eventually("it listens", lambda: re.search(r'"port": ?(\d+)', log.read_text()))[1]
        ended = subprocess.run(
            [sys.executable, CHART / "files" / "answers.py", f"http://127.0.0.1:{port}"],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout
        assert "a replica leads" in ended.stdout
    finally:
        operator.send_signal(signal.SIGTERM)
        operator.wait(120)


@contextmanager
def published_by(full_plane):
    from tests.cluster.kube.poll import eventually

    def published():
        found = json.loads(full_plane.cluster.text("/openapi/v2"))
        kinds = {one["kind"] for each in found["definitions"].values() for one in each.get(OWN_KIND, ())}
        return found if {"ModelRollout", "PrometheusRule", "ClusterServingRuntime"} <= kinds else None

    yield eventually("all kinds are published", published)


@pytest.fixture
def openapi(for_group, full_plane):
    """What the API server publishes of its kinds, those of CRDs among them."""
    return for_group(published_by, full_plane)


def conform(text, openapi, folder):
    """What kubeconform says of documents, by the schemas of the API server."""
    from tests.cluster.kube.binaries import binary
    from tests.cluster.kube.manifests import parsed

    wanted = {(one["apiVersion"], one["kind"]) for one in parsed(text)}
    location = write_schemas(openapi, wanted, folder)
    return subprocess.run(
        [binary("kubeconform"), "-strict", "-summary", "-schema-location", location, "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_kubeconform_finds_nothing(openapi, bare_helm, name, tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(dict(SETS[name])))
    text = bare_helm.done(
        "template", "trimtab", str(CHART), "-n", SYSTEM, "-f", str(values),
        "--set", "monitoring.monitors=always,monitoring.alerts=always,servingRuntime.create=always",
    )  # fmt: skip
    said = conform(text, openapi, tmp_path)
    assert said.returncode == 0, said.stdout
    assert "Invalid: 0, Errors: 0, Skipped: 0" in said.stdout


@pytest.mark.parametrize(
    "folder", ["overlays/local", "overlays/standard", "overlays/gpu", "samples", "samples/gpu"]
)
def test_kubeconform_finds_nothing_in_the_manifests(openapi, full_plane, folder, tmp_path):
    text = kubectl(full_plane.kubeconfig, "kustomize", f"manifests/{folder}").stdout
    said = conform(text, openapi, tmp_path)
    assert said.returncode == 0, said.stdout
    assert "Invalid: 0, Errors: 0, Skipped: 0" in said.stdout


def test_kubeconform_would_find_a_field_that_does_not_exist(openapi, bare_helm, tmp_path):
    text = bare_helm.done("template", "trimtab", str(CHART), "-n", SYSTEM).replace(
        "replicas: 2", "replica: 2"
    )
    said = conform(text, openapi, tmp_path)
    assert said.returncode == 1
    assert "replica" in said.stdout
