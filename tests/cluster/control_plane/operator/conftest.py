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

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def start_operator(
    control_plane: "ControlPlane",
    cluster: "Direct",
    namespace: str,
    trimtab_crds: None,
    kserve_crds: None,
    gateway_api_crds: None,
    tmp_path: Path,
) -> Iterator[Callable[..., Operator]]:
    """Start replicas that look after the test's namespace; all end with the test."""
    from tests.cluster.control_plane.operator.players import Players, served_models

    started: list[Operator] = []
    players = Players(cluster, namespace)
    players.start()
    with served_models() as port:

        def start(**more: Any) -> Operator:
            number = len(started)
            config = tmp_path / f"operator-{number}.yaml"
            config.write_text(
                f"namespaces: [{namespace}]\nlease: {{namespace: {namespace}}}\nlog_level: debug\n".replace(
                    "log_level", "logLevel"
                )
                + "listen: {host: 127.0.0.1, port: 0}\n"
                "settle: 1s\ntick: 1s\n"
                f"cache: {tmp_path}/cache\n"
                "collector: {address: 'http://127.0.0.1:9'}\n"
                f"services: 'http://127.0.0.1:{port}/{{namespace}}/{{service}}'\n",
                encoding="utf-8",
            )
            log = tmp_path / f"operator-{number}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [
                        sys.executable, "-m", "operators.drift",
                        "--config", str(config), "--kubeconfig", str(control_plane.kubeconfig),
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
            players.stop()
