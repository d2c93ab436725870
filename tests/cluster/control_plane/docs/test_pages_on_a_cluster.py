"""Every `sh cluster` block of the pages is run, in order, against KServe's own manager and the operator's process.

There are no pods: what stands in for them is a model server that is always ready, and a gateway that takes every
route. What requests see is the node suite's.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.control_plane.daytwo.test_adoption import GatewayPlayer
from tests.cluster.control_plane.leases import LONG_LEASE
from tests.cluster.control_plane.operator.players import served_models

pytestmark = pytest.mark.xdist_group("kserve")
ROOT = Path(__file__).parents[4]
ORDER = ("kubernetes.md", "kubeflow-pipelines.md", "tutorial-rollout-gone-wrong.md", "day-two.md")
PAGES = [ROOT / "docs" / name for name in ORDER]
"""Each begins with what the one before leaves behind."""
BLOCK = re.compile(r"^```sh cluster\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMESPACE = "shop"
WITHIN_S = 1800.0


@pytest.fixture(scope="module")
def cluster_of_a_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with the clone's manifests and the environment of a shell in it: as after `make cluster`."""
    from tests.cluster.kube.binaries import binary
    from tests.cluster.kube.kserve import running_kserve_plane
    from tests.cluster.kube.manifests import put

    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(binary("kubectl"))
    with running_kserve_plane() as kserve:
        put(
            kserve.plane.cluster,
            [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateways"}}],
        )
        gateway = GatewayPlayer(kserve.plane.cluster, NAMESPACE)
        gateway.start()
        try:
            yield (
                folder,
                {
                    **os.environ,
                    "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "KUBECONFIG": str(kserve.plane.kubeconfig),
                    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
                    "COLUMNS": "160",
                },
            )
        finally:
            gateway.stop()


def state(environment: dict[str, str]) -> str:
    """What a person would look at next."""
    asked = ["kubectl", "get", "modelrollouts,pods", "-n", NAMESPACE, "-o", "yaml"]
    program = shutil.which("kubectl", path=environment["PATH"])
    assert program is not None
    told = subprocess.run(
        [program, *asked[1:]], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return told.stdout[-8000:]


def test_the_pages_run_in_order(cluster_of_a_reader: tuple[Path, dict[str, str]]) -> None:
    """One shell for all pages; a command that fails is shown with what the operator said."""
    folder, environment = cluster_of_a_reader
    script = "\n".join(block for page in PAGES for block in BLOCK.findall(page.read_text()))
    assert script.count("kubectl") > 40
    with served_models() as models:
        # Ports are the kernel's here, and no pod answers behind a proxy.
        script = script.replace("http://127.0.0.1:8001/", f"http://127.0.0.1:{models}/")
        script = script.replace("--port=8001", "--port=0")
        # And nobody takes over from this operator: a busy machine must not cost it its lease, or a command its time.
        assert script.count("tick: 1s\n") == 1
        script = script.replace("tick: 1s\n", f"tick: 1s\nlease: {json.dumps(dict(LONG_LEASE))}\n")
        script = re.sub(r"--timeout=(60|120)s", "--timeout=400s", script)
        output = folder / "output.log"
        with output.open("w") as out:
            shell = subprocess.Popen(
                ["bash", "-eux", "-o", "pipefail", "-c", script],
                cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            shell.wait(WITHIN_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    said = output.read_text()
    log = folder / "operator.log"
    operator = "\n".join(log.read_text().splitlines()[-15:]) if log.exists() else "it never started"
    assert shell.returncode == 0, f"{said[-3000:]}\n--- the operator\n{operator}\n{state(environment)}"
    assert "Traceback" not in said
