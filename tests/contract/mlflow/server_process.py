"""A real `mlflow server` that a test starts, ends, and starts again at the same address."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from trimtab.adapters.processes.loopback import Reservation, reserve

PATIENCE_S = 90


@dataclass
class ServerProcess:
    """Its database and artefacts lie in `folder`."""

    folder: Path
    reserved: Reservation = field(default_factory=lambda: reserve("mlflow"))
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.reserved.port}"

    def start(self) -> None:
        from trimtab.adapters.mlflow.client import client, local_uri

        database = local_uri(self.folder / "mlflow.db")
        client(database)
        argv = [
            sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1",
            "--port", str(self.reserved.port), "--backend-store-uri", database,
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        environment = {
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        log = self.folder / "log"
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                argv, cwd=self.folder, stdout=file, stderr=file, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, how)
            self.process.wait(timeout=120)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
