"""A load that runs inside a node, seen from a test outside."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.kube import load
from tests.cluster.kube.node import Node
from tests.cluster.kube.poll import eventually


@dataclass(frozen=True, slots=True)
class Ended:
    """What a load saw.

    Attributes:
        failures: the first 200: when, which request, why.
        revisions: answers by the revision that gave them.
        latency_ms: p50, p95, p99 and max, from the instant at which a request was due.
        cpu_s: what the load itself used.
    """

    sent: int
    failed: int
    failures: list[dict[str, Any]]
    revisions: dict[str, int]
    elapsed_s: float
    cpu_s: float
    latency_ms: dict[str, float]

    def share(self, revision: str) -> float:
        """Of the answers, those of one revision, 0 to 1."""
        return self.revisions.get(revision, 0) / max(1, sum(self.revisions.values()))


class RunningLoad:
    """A load in a node's network, from its start; `seconds` grows by an entry a second."""

    def __init__(
        self,
        node: Node,
        url: str,
        *,
        host: str | None = None,
        bodies: Path | None = None,
        rate: float = 300,
        seconds: float = 600,
        revision: str = "",
    ) -> None:
        """
        Args:
            url: an address inside: a Service's or a gateway's by IP.
            host: what the Host header says, if not the URL's.
            bodies: file with a JSON list of request bodies; without it the requests are GETs.
            rate: requests a second.
            seconds: when it ends by itself.
            revision: a regular expression whose first group tells who answered, if not as load.py does by itself.
        """
        more = ["--host", host] if host else []
        more += ["--bodies", str(bodies)] if bodies else []
        more += ["--revision", revision] if revision else []
        # its clock must not wait for what else this machine does
        command = [
            "nice",
            "-n",
            "-10",
            sys.executable,
            load.__file__,
            url,
            "--rate",
            str(rate),
            "--seconds",
            str(seconds),
            *more,
        ]
        self.seconds: list[dict[str, Any]] = []
        self._ended: Ended | None = None
        self._process = node.inside(*command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually("the load runs", lambda: self.seconds or self._process.poll() is not None, 10)

    def stop(self) -> Ended:
        """End it now; what it saw."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> Ended:
        """Wait until it ends by itself; what it saw."""
        self._process.wait()
        self._reader.join(10)
        if self._ended is None:
            raise RuntimeError(f"the load died with status {self._process.returncode}")
        return self._ended

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "second" in told:
                self.seconds.append(told)
            else:
                self._ended = Ended(**told)
