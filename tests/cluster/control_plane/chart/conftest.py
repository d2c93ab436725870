"""A control plane that has what a platform team would have: Gateway API, KServe's kinds, the Prometheus operator's."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.chart.release import CHART, DEFAULT_ACCOUNT, SYSTEM, Helm, helm

if TYPE_CHECKING:
    from tests.cluster.conftest import ForGroup
    from tests.cluster.kube.control_plane import ControlPlane


WANTED = (
    "gatewayclasses.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io", "inferenceservices.serving.kserve.io", "servingruntimes.serving.kserve.io",
    "clusterservingruntimes.serving.kserve.io", "servicemonitors.monitoring.coreos.com",
    "podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com",
)  # fmt: skip
Doctor = Callable[..., tuple[int, Any]]
"""(exit status, finding by what it is about) of a kubeconfig and more arguments."""
LARGE = ("inferenceservices.serving.kserve.io", "servingruntimes.serving.kserve.io")


def light_crds() -> Iterator[dict[str, Any]]:
    """The kinds that the chart and doctor look for, as their makers ship them; of two that nothing here writes, whose
    schemas are 2 MB of pod, the schema is left out."""
    from tests.cluster.kube.manifests import documents
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds, prometheus_operator_crds

    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    for crd in documents([*gateway_api_crds(), *kserve_crds(), *prometheus_operator_crds()]):
        name = crd["metadata"]["name"]
        if name in LARGE:
            for version in crd["spec"]["versions"]:
                version["schema"] = anything
        if name in WANTED:
            yield crd


@pytest.fixture(scope="session")
def bare_helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Of no cluster."""
    return helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture
def bare_plane(for_group: "ForGroup") -> "ControlPlane":
    """An API server with nothing on it; a test that makes something takes it away again."""
    from tests.cluster.kube.planes import running_control_plane

    plane: ControlPlane = for_group(running_control_plane)
    return plane


@contextmanager
def plane_with_release() -> "Iterator[ControlPlane]":
    from tests.cluster.kube.manifests import put, wait_until_served
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane:
        put(plane.cluster, light_crds())
        for name in (SYSTEM, "shop", "team-b"):
            plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        put(plane.cluster, [DEFAULT_ACCOUNT])
        for name in WANTED:
            wait_until_served(plane.cluster, name)
        there = helm(plane.folder / "helm", plane.kubeconfig)
        there.done("install", "trimtab", str(CHART), "-n", SYSTEM, "--set", "monitoring.dashboards=true")
        for kind in ("modelrollouts", "driftmonitors", "retrainpolicies"):
            wait_until_served(plane.cluster, f"{kind}.trimtab.dev")
        yield plane


@pytest.fixture
def full_plane(for_group: "ForGroup") -> "ControlPlane":
    """One with all the kinds that the chart may make objects of, and a release of it with all that it can make."""
    plane: ControlPlane = for_group(plane_with_release)
    return plane


@pytest.fixture(scope="session")
def doctor(tmp_path_factory: pytest.TempPathFactory) -> Doctor:
    """`trimtab doctor --cluster` as a person calls it."""
    from tests.cluster.kube.binaries import binary

    folder = tmp_path_factory.mktemp("path")
    (folder / "kubectl").symlink_to(binary("kubectl"))
    program = Path(sys.executable).with_name("trimtab")

    def run(kubeconfig: Path, *arguments: str) -> tuple[int, Any]:
        ended = subprocess.run(
            [program, "doctor", "--cluster", "--json", *arguments],
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
        found = json.loads(ended.stdout)["findings"] if ended.stdout else ended.stderr
        return ended.returncode, {one["what"]: one for one in found} if ended.stdout else found

    return run
