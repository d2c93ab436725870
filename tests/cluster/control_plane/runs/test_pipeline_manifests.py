"""`trimtab pipeline compile --kubernetes-manifest` on a real API server, strictly, by the fields of KFP 2.17's kinds.

KFP's own CRDs cannot be had as a Go module, so their fields stand here as read there: what KFP keeps as it comes (the
IR, the platform's half) is any object, all else is named, and a field that is not is refused. A Pipeline's displayName
is as the SDK 2.17 writes it; the kinds of early 2025 lack it. What KFP's webhook checks beyond that is not proven.
"""

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

GROUP = "pipelines.kubeflow.org"
TEXT: dict[str, Any] = {"type": "string"}
ANYTHING: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
FIELDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "Pipeline": ({"description": TEXT, "displayName": TEXT}, []),
    "PipelineVersion": (
        {
            **dict.fromkeys(
                ("codeSourceURL", "description", "displayName", "pipelineName", "pipelineSpecURI"), TEXT
            ),
            **dict.fromkeys(("pipelineSpec", "platformSpec"), ANYTHING),
        },
        ["pipelineSpec"],
    ),
}
PROJECT = """
name: shop
sources: {customers: {files: customers.csv}}
examples: {label: {column: left}}
"""


def crd(kind: str) -> dict[str, Any]:
    fields, required = FIELDS[kind]
    spec = {"type": "object", "properties": fields, **({"required": required} if required else {})}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v2beta1", "served": True, "storage": True, "schema": schema}
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


@pytest.fixture
def kubeflow(control_plane: "ControlPlane", cluster: "Direct") -> "ControlPlane":
    from tests.cluster.kube.manifests import put, wait_until_served

    put(cluster, [crd(kind) for kind in FIELDS])
    for kind in FIELDS:
        wait_until_served(cluster, f"{kind.lower()}s.{GROUP}")
    return control_plane


@pytest.mark.parametrize("name", ["training", "batch-prediction", "materialization", "backfill"])
def test_manifests_are_taken_strictly(
    kubeflow: "ControlPlane",
    namespace: str,
    name: str,
    tmp_path: "Path",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.cluster.kube.binaries import binary
    from trimtab.cli.app import invoke

    (tmp_path / "trimtab.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    assert invoke(["pipeline", "compile", name, "--kubernetes-manifest", "-o", "-"]) == 0
    text = capsys.readouterr().out

    def applied(manifests: str) -> subprocess.CompletedProcess[str]:
        words = ["apply", "-n", namespace, "--dry-run=server", "--validate=strict", "-f", "-"]
        command = [binary("kubectl"), f"--kubeconfig={kubeflow.kubeconfig}", *words]
        return subprocess.run(
            command, input=manifests, capture_output=True, text=True, check=False, timeout=300
        )

    taken = applied(text)
    assert taken.returncode == 0, taken.stderr
    assert len(taken.stdout.splitlines()) == 2
    pipeline, version = yaml.safe_load_all(text)
    version["spec"]["pipelineSpecs"] = {}
    refused = applied(yaml.safe_dump_all([pipeline, version]))
    assert 'unknown field "spec.pipelineSpecs"' in refused.stderr
