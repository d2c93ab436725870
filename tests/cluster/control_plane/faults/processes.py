"""The operator as processes of its own, each by a kubeconfig of its own, started anew when one ends itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parents[4]


class Replica:
    """One replica of a Deployment: whoever ends itself is started again when it is looked after.

    Args:
        code: a checkout of the version that runs.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        kubeconfig: Path,
        settings: dict[str, Any],
        code: Path = REPOSITORY,
    ) -> None:
        self._code = code
        self._config, self.log = folder / f"{name}.yaml", folder / f"{name}.log"
        self._config.write_text(json.dumps(settings), encoding="utf-8")
        self._kubeconfig = kubeconfig
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "operators.drift",
                    "--config", str(self._config), "--kubeconfig", str(self._kubeconfig),
                ],
                cwd=self._code, stdout=out, stderr=out,
                env={**os.environ, "PYTHONPATH": str(self._code / "src")},
            )  # fmt: skip

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def look_after(self) -> None:
        """As a kubelet does."""
        if self.ended:
            self.start()

    def kill(self) -> None:
        if not self.ended:
            self.process.kill()
        self.process.wait(20)


def settings(namespace: str, folder: Path, models: int, **more: Any) -> dict[str, Any]:
    """For one namespace, with a lease of its own that is soon lost."""
    return {
        "namespaces": [namespace],
        "lease": {"namespace": namespace, "duration": "9s", "renewDeadline": "6s"},
        "listen": {"host": "127.0.0.1", "port": 0},
        "settle": "1s",
        "tick": "1s",
        "cache": str(folder / "cache"),
        "collector": {"address": "http://127.0.0.1:9"},
        "services": f"http://127.0.0.1:{models}/{{namespace}}/{{service}}",
        **more,
    }
