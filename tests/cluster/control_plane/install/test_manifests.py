"""manifests/base, as kubectl and a real API server take it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]


OVERLAYS = ("manifests/overlays/local", "manifests/overlays/standard", "manifests/overlays/gpu")


@pytest.fixture(scope="module")
def base():
    """What `kubectl kustomize manifests/base` makes."""
    return kustomized("manifests/base")


def kustomized(folder):
    from tests.cluster.kube.binaries import binary
    from tests.cluster.kube.manifests import parsed

    done = subprocess.run(
        [binary("kubectl"), "kustomize", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return parsed(done.stdout)


def one(base, kind, name="trimtab-operator"):
    return next(obj for obj in base if obj["kind"] == kind and obj["metadata"]["name"].startswith(name))


def test_every_object_is_taken_by_the_api_server(base, own_control_plane):
    from tests.cluster.kube.binaries import binary

    done = subprocess.run(
        [
            binary("kubectl"), f"--kubeconfig={own_control_plane.kubeconfig}",
            "apply", "--server-side", "-k", "manifests/base",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert len(done.stdout.splitlines()) == len(base)


def test_the_configuration_that_is_mounted_is_one_that_the_operator_takes(base, tmp_path):
    from operators.drift.config import load

    held = one(base, "ConfigMap")
    deployment = one(base, "Deployment")
    mounted = next(v for v in deployment["spec"]["template"]["spec"]["volumes"] if v["name"] == "config")
    assert mounted["projected"]["sources"][0]["configMap"]["name"] == held["metadata"]["name"]
    path = tmp_path / "config.yaml"
    path.write_text(held["data"]["config.yaml"])
    found = load(path)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert found.collector.image == container["image"]
    assert f"/{Path(container['args'][1]).name}" == "/config.yaml"


def test_the_pod_is_one_that_a_restricted_namespace_takes(base):
    pod = one(base, "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert (
        one(base, "Namespace", "trimtab-system")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
