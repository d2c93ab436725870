"""Every `sh install` block of docs/install.md is run, in order, by kubectl and helm on an empty API server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.control_plane.chart.release import ROOT, helm

pytestmark = pytest.mark.xdist_group("chart")
BLOCK = re.compile(r"^```sh install\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_runs_in_order(own_control_plane, tmp_path):
    from tests.cluster.kube.binaries import binary

    shutil.copytree(ROOT / "helm", tmp_path / "helm")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        (programs / name).symlink_to(binary(name))
    own_control_plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    script = "\n".join(BLOCK.findall((ROOT / "docs" / "install.md").read_text()))
    assert script.count("helm ") > 6
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-eux", "-o", "pipefail", "-c", script],
        cwd=tmp_path, env={**helm(tmp_path, own_control_plane.kubeconfig).environment, "PATH": path},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
