"""The operator as it runs: a process of its own against a real API server, with players for what is not there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.players import Players
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

REPOSITORY = Path(__file__).parents[4]


@dataclass
class Operator:
    """One replica."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """What it logged, but for a line that is being written."""
        import json

        return [json.loads(line) for line in self.text().splitlines(keepends=True) if line.endswith("}\n")]

    @property
    def address(self) -> str:
        """Where it answers; "" until it says so."""
        ports = [line["port"] for line in self.lines() if "port" in line]
        return f"http://127.0.0.1:{ports[0]}" if ports else ""

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def players(
    cluster: "Direct", namespace: str, trimtab_crds: None, kserve_crds: None, gateway_api_crds: None
) -> "Iterator[Players]":
    """KServe and a gateway, played in the test's namespace."""
    from tests.cluster.control_plane.operator.players import Players

    found = Players(cluster, namespace)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def scene(cluster: "Direct", namespace: str, players: "Players") -> "Scene":
    """The rollout `flights` of the namespace, whose service account may write what a rollout writes."""
    from tests.cluster.control_plane.operator.scene import Scene

    found = Scene(cluster, namespace)
    found.allow("default")
    return found


@pytest.fixture
def start_operator(
    control_plane: "ControlPlane", namespace: str, players: "Players", tmp_path: Path
) -> Iterator[Callable[..., Operator]]:
    """Start replicas that look after the test's namespace; all end with the test.

    Takes `settings`, which go before those of the tests, how to reach the API server, and environment variables.
    """
    import json

    from tests.cluster.control_plane.leases import LONG_LEASE
    from tests.cluster.control_plane.operator.players import served_models

    started: list[Operator] = []
    with served_models() as port:
        usual = {
            "namespaces": [namespace],
            "lease": {},
            "logLevel": "debug",
            "listen": {"host": "127.0.0.1", "port": 0},
            "settle": "1s",
            "tick": "1s",
            "cache": f"{tmp_path}/cache",
            "collector": {"address": "http://127.0.0.1:9"},
            "services": f"http://127.0.0.1:{port}/{{namespace}}/{{service}}",
        }

        def start(
            settings: dict[str, Any] | None = None, kubeconfig: Path = control_plane.kubeconfig, **more: str
        ) -> Operator:
            number = len(started)
            config = tmp_path / f"operator-{number}.yaml"
            asked = {**usual, **(settings or {})}
            asked["lease"] = {"namespace": namespace, **LONG_LEASE, **asked["lease"]}
            config.write_text(json.dumps(asked), encoding="utf-8")
            log = tmp_path / f"operator-{number}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [
                        sys.executable, "-m", "operators.drift",
                        "--config", str(config), "--kubeconfig", str(kubeconfig),
                    ],
                    cwd=REPOSITORY, stdout=out, stderr=out, env={**os.environ, **more},
                )  # fmt: skip
            started.append(Operator(process, log))
            return started[-1]

        try:
            yield start
        finally:
            for operator in started:
                if operator.process.poll() is None:
                    operator.kill()
