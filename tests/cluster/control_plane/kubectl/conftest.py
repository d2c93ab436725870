"""kubectl with the plugin on its PATH."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.control_plane.operator.conftest import players, scene, start_operator

__all__ = ["players", "scene", "start_operator"]


@pytest.fixture(scope="module")
def plugin(control_plane, tmp_path_factory):
    """`kubectl trimtab …` as a person calls it: kubectl finds the plugin on the PATH."""
    from tests.cluster.kube.binaries import binary

    folder = tmp_path_factory.mktemp("path")
    (folder / "kubectl").symlink_to(binary("kubectl"))
    (folder / "kubectl-trimtab").symlink_to(Path(sys.executable).with_name("kubectl-trimtab"))
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "KUBECONFIG": str(control_plane.kubeconfig),
        "COLUMNS": "160",
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "trimtab", *arguments],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run
