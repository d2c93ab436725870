"""helm as a person calls it, on a cluster or on none."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube.manifests import parsed

ROOT = Path(__file__).resolve().parents[4]
CHART = ROOT / "helm" / "trimtab"
SYSTEM = "trimtab-system"
BLOCK = re.compile(r"^```sh (?P<info>[a-z-]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT_ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "default", "namespace": SYSTEM},
}
"""What Kubernetes' controllers would have made."""


@dataclass(frozen=True, slots=True)
class Helm:
    """
    Attributes:
        program: helm itself.
        environment: KUBECONFIG, and folders of its own.
    """

    program: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *arguments],
            env=dict(self.environment), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def done(self, *arguments: str) -> str:
        """What it says, of a call that must do."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, f"helm {' '.join(arguments)}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def refused(self, *arguments: str) -> str:
        """What it says, of a call that must not do."""
        ended = self.run(*arguments)
        assert ended.returncode != 0, ended.stdout
        return ended.stderr

    def template(self, *arguments: str) -> list[dict[str, Any]]:
        text = self.done("template", "trimtab", str(CHART), "-n", SYSTEM, *arguments)
        return parsed(text)


def helm(folder: Path, kubeconfig: Path | None = None) -> Helm:
    """A helm whose cache and configuration are in `folder`."""
    from tests.cluster.kube.binaries import binary

    own = {f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    there = str(kubeconfig) if kubeconfig else str(folder / "no-kubeconfig")
    return Helm(binary("helm"), {**os.environ, **own, "KUBECONFIG": there})


def former(folder: Path) -> Path:
    """The chart as version 0.0.9: without network policies, and its kinds without a field that came later."""
    place = folder / "former"
    shutil.copytree(CHART, place)
    about = yaml.safe_load((place / "Chart.yaml").read_text())
    (place / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.9", "appVersion": "0.0.9"}))
    (place / "templates" / "networkpolicies.yaml").unlink()
    crd = place / "files" / "crds" / "driftmonitors.yaml"
    held = yaml.safe_load(crd.read_text())
    spec = held["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["falseAlarms"]
    crd.write_text(yaml.safe_dump(held))
    return place


def named(objects: Sequence[Mapping[str, Any]], kind: str, name: str = "trimtab-operator") -> dict[str, Any]:
    return next(dict(one) for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)


def kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    from tests.cluster.kube.binaries import binary

    done = subprocess.run(
        [binary("kubectl"), f"--kubeconfig={kubeconfig}", *arguments],
        input=stdin, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def page_blocks(info: str, page: str = "install.md") -> list[str]:
    """The `sh INFO` blocks of a page of docs/, in its order."""
    text = (ROOT / "docs" / page).read_text()
    return [found["body"] for found in BLOCK.finditer(text) if found["info"] == info]


def install_page() -> list[str]:
    """The `sh install` blocks of docs/install.md."""
    return page_blocks("install")


def person(script: str, folder: Path, kubeconfig: Path, within_s: float = 300) -> None:
    """Run a script that calls helm, kubectl and trimtab, in a folder that holds the chart; it must do."""
    from tests.cluster.kube.binaries import binary

    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("kubectl", "helm"):
        if not (programs / name).exists():
            (programs / name).symlink_to(binary(name))
    for name in ("helm", "manifests"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-eux", "-o", "pipefail", "-c", script],
        cwd=folder, env={**helm(folder, kubeconfig).environment, "PATH": path},
        capture_output=True, text=True, check=False, timeout=within_s,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
