"""Monitors and policies on a real API server, over a real collector and a real MLflow; only time is the test's."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.processes.loopback import reserve

if TYPE_CHECKING:
    from tests.cluster.control_plane.drift_handlers.stage import Stage
    from tests.cluster.kube.direct import Direct


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `mlflow server`, one for all tests here."""
    import httpx

    from trimtab.adapters.mlflow.client import client, local_uri

    folder = tmp_path_factory.mktemp("mlflow")
    client(local_uri(folder / "mlflow.db"))
    held = reserve("mlflow")
    argv = [
        sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(held.port),
        "--backend-store-uri", local_uri(folder / "mlflow.db"), "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            argv, cwd=folder, stdout=log, stderr=log, env={**os.environ, **quiet}, start_new_session=True
        )
    url, deadline = f"http://127.0.0.1:{held.port}", time.monotonic() + 300
    try:
        while True:
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            try:
                if httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=120)
        held.close()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[str]:
    """The address of a collector, a process of its own."""
    argv = [
        sys.executable,
        "-m",
        "trimtab.bootstrap.collector",
        "--dir",
        str(tmp_path / "log"),
        "--http-port",
        "0",
    ]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert line.startswith("trimtab collector at"), line
        yield f"http://127.0.0.1:{line.rsplit(':', 1)[1].strip()}"
    finally:
        process.terminate()
        process.wait(timeout=120)
        process.stderr.close()


@pytest.fixture
def stage(
    cluster: "Direct",
    namespace: str,
    trimtab_crds: None,
    gateway_api_crds: None,
    mlflow_url: str,
    collector: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["Stage"]:
    from tests.cluster.control_plane.drift_handlers.stage import Stage
    from trimtab.adapters.mlflow import MlflowServer

    # a machine that stands still is no server that is away, which would be let alone for a while
    monkeypatch.setattr("operators.drift.surroundings.COLLECTOR_WITHIN_S", 60.0)
    monkeypatch.setattr("operators.drift.breaker.HANGS_S", 60.0)
    monkeypatch.setitem(MlflowServer.__init__.__kwdefaults__, "timeout_s", 60.0)
    made = Stage(cluster, namespace, mlflow_url, collector, tmp_path)
    yield made
    made.close()
