"""`make cluster` and `make cluster-down`: one cluster that stays until a person takes it away."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.kube.binaries import CONTROL_PLANE, ensure
from tests.cluster.kube.cache import home
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.poll import eventually

ROOT = Path(__file__).resolve().parents[3]
READY_WITHIN_S = 300.0
GONE_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """
    Attributes:
        what: a line for a person.
        pid, born: of the process that keeps it; together they name one process for good.
    """

    what: str
    kubeconfig: str
    pid: int
    born: str

    @property
    def alive(self) -> bool:
        return born(self.pid) == self.born


def up(*, node: bool) -> Running:
    """The cluster that runs, or a new one. Raises ClusterToolFailed with what its keeper said."""
    if held := running():
        return held
    ensure(CONTROL_PLANE)
    with tempfile.NamedTemporaryFile("w+", prefix="trimtab-cluster-", suffix=".log") as said:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.kube", "keep", *(["--node"] if node else [])],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )

        def ready() -> Running | None:
            if keeper.poll() is not None:
                said.seek(0)
                raise ClusterToolFailed(f"the cluster did not start:\n{said.read()[-3000:]}")
            return running()

        return eventually("the cluster runs", ready, READY_WITHIN_S)


def down() -> Running | None:
    """End it and wait until it is gone; what ran, or None."""
    held = running()
    if held:
        os.kill(held.pid, signal.SIGTERM)
        eventually("the cluster is gone", lambda: not held.alive, GONE_WITHIN_S)
    return held


def running() -> Running | None:
    try:
        held = Running(**json.loads(_record().read_text()))
    except FileNotFoundError:
        return None
    return held if held.alive else None


def keep(*, node: bool) -> None:
    """Start it, say so in the record, and hold it until somebody asks us to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (whole_node if node else control_plane)() as (what, kubeconfig):
        now = Running(what, str(kubeconfig), os.getpid(), born(os.getpid()))
        fresh = _record().with_suffix(".new")
        fresh.write_text(json.dumps(asdict(now)))
        fresh.rename(_record())
        try:
            signal.pause()
        finally:
            _record().unlink()


@contextmanager
def control_plane() -> Iterator[tuple[str, Path]]:
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane:
        memory = (plane.etcd.memory_bytes + plane.apiserver.memory_bytes) >> 20
        yield f"etcd and kube-apiserver at {plane.url} ({memory} MB); no pods run here", plane.kubeconfig


@contextmanager
def whole_node() -> Iterator[tuple[str, Path]]:
    from tests.cluster.kube.node_people import node_for_people

    with node_for_people() as given:
        yield given


def born(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" if it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _record() -> Path:
    home().mkdir(parents=True, exist_ok=True)
    return home() / "running.json"
