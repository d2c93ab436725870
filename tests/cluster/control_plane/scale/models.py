"""A registry that describes models, and a collector: an MLflow server and trimtab's own, as processes."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry
from trimtab.adapters.mlflow.client import client, local_uri
from trimtab.adapters.mlflow.profiles import KEPT
from trimtab.adapters.processes.loopback import reserve
from trimtab.drift import LabelRule, learn_profile
from trimtab.steps.model_folder import write_model_folder

WITHIN_S: Final = 120.0
ROWS_AN_HOUR: Final = 40
DAYS: Final = 60
QUIET: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@dataclass(frozen=True, slots=True)
class Models:
    """Where they answer."""

    mlflow: str
    collector: str


@contextmanager
def described_models(folder: Path, names: Sequence[str]) -> Iterator[Models]:
    """One version of each model, with its profile, under the alias `candidate`."""
    folder.mkdir()
    registry, collector = _mlflow(folder), _collector(folder)
    try:
        registry.start()
        collector.start()
        mlflow = f"http://127.0.0.1:{registry.port}"
        found = Models(mlflow, f"http://127.0.0.1:{collector.port}")
        for process, at in ((registry, f"{found.mlflow}/health"), (collector, f"{found.collector}/healthz")):
            eventually(f"{process.name} answers", partial(_answers, process, at), WITHIN_S)
        _register(found.mlflow, names, folder)
        yield found
    finally:
        collector.stop()
        registry.stop()


class Server(Process):
    """A Python module whose last argument is the port where it answers, which is kept for it.

    Attributes:
        port: on 127.0.0.1.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._reserved = reserve(name)
        self.port = self._reserved.port
        whole = [sys.executable, "-m", *argv, str(self.port)]
        super().__init__(name, whole, folder / f"{name}.log", environment)


def _mlflow(folder: Path) -> Server:
    store = local_uri(folder / "mlflow.db")
    client(store)
    argv = [
        "mlflow", "server", "--workers", "1", "--host", "127.0.0.1",
        "--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts"), "--port",
    ]  # fmt: skip
    return Server("mlflow", argv, folder, QUIET)


def _collector(folder: Path) -> Server:
    argv = ["trimtab.bootstrap.collector", "--dir", folder / "events", "--http-port"]
    return Server("collector", argv, folder)


def _answers(process: Process, at: str) -> bool:
    process.check()
    try:
        return httpx.get(at, timeout=2, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def _register(mlflow: str, names: Sequence[str], folder: Path) -> None:
    draw, rows = np.random.default_rng(7), DAYS * 24 * ROWS_AN_HOUR
    begin = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=DAYS + 1)
    times = np.asarray(begin + np.arange(rows) * (timedelta(hours=1) / ROWS_AN_HOUR), "datetime64[us]")
    columns = {
        "distance": draw.normal(1000.0, 100.0, rows),
        "carrier": draw.choice(["UA", "AA", "WN"], rows),
    }
    profile = learn_profile(
        columns,
        times,
        label=LabelRule("late", "known_at", mature_after_s=86_400),
        reference_skills=[-0.3 + 0.01 * (-1) ** day for day in range(30)],
    )
    samples = [{"distance": 900.0, "carrier": "UA"}]
    files = {
        "model.onnx": b"model",
        "profile.json": profile.to_bytes(),
        "samples.json": json.dumps(samples).encode(),
    }
    made = write_model_folder(folder / "models", files, {"trimtab.rows": "1"})
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    registry = MlflowServerRegistry(MlflowServer(mlflow), [made.path / file for file in KEPT])
    for name in names:
        held = registry.register(name, f"s3://models/{made.digest[:16]}", made.digest, {"rows": "1"})
        registry.set_alias(name, "candidate", held.version)
