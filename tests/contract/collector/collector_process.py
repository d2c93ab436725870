"""A real collector process, and posts to it as servers send them."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trimtab.adapters.processes.loopback import Reservation, reserve

START = datetime(2013, 4, 1, 12, tzinfo=UTC)


@dataclass
class Process:
    """One collector on one folder; can be killed and started again."""

    folder: Path
    arguments: tuple[str, ...] = ()
    before: Callable[[], None] | None = None
    child: subprocess.Popen[str] = field(init=False)
    reserved: Reservation = field(default_factory=lambda: reserve("collector"), init=False)

    @property
    def port(self) -> int:
        """It stays its own while nobody listens on it."""
        return self.reserved.port

    def start(self) -> "Process":
        command = [sys.executable, "-m", "trimtab.bootstrap.collector", "--dir", str(self.folder)]
        command += ["--http-port", str(self.port), *self.arguments]
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=self.before)
        assert self.child.stderr is not None
        line = self.child.stderr.readline()
        assert line.startswith("trimtab collector at"), line + self.child.stderr.read()
        return self

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self) -> int:
        self.child.terminate()
        return self.child.wait(timeout=20)

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            content = response.read()
            is_json = response.getheader("content-type") == "application/json"
            return response.status, json.loads(content) if is_json else content.decode()
        finally:
            connection.close()

    def events(self, *events: dict[str, Any]) -> tuple[int, Any]:
        return self.send(
            "POST", "/", json.dumps(events).encode(), {"content-type": "application/cloudevents-batch+json"}
        )


def event(number: int, revision: str = "aaaaaaaa", rows: int = 2, **changes: Any) -> dict[str, Any]:
    """One inference of our server: request `number`, a minute after the one before."""
    time_us = int((START + timedelta(minutes=number)).timestamp()) * 1_000_000
    made = {
        "specversion": "1.0",
        "type": "dev.trimtab.inference",
        "id": f"request-{number}",
        "source": f"{revision}/17",
        "time": rfc3339(START + timedelta(minutes=number)),
        "inferenceservicename": f"flights-{revision}",
        "namespace": "default",
        "component": "predictor",
        "endpoint": "",
        "revision": revision,
        "status": 200,
        "durationms": 3.5,
        "rows": rows,
        "data": {
            "ids": [f"flight-{number}-{row}" for row in range(rows)],
            "times": [time_us] * rows,
            "features": {
                "distance": [100.0 * (row + 1) for row in range(rows)],
                "carrier": ["UA", None, "AA", ""][:rows],
            },
            "predictions": [0.25 + 0.1 * (row % 4) for row in range(rows)],
        },
    }
    return made | changes


def rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
