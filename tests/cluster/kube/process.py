"""One program as a child of this process: its log, its end, and its death with us."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.kube.errors import ClusterToolFailed
from trimtab.adapters.processes.launch import inherited

PR_SET_PDEATHSIG = 1
END_WITHIN_S = 5.0

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Process:
    """A program that runs until it is stopped.

    The kernel kills it when the thread that started it dies, so that even a killed test run leaves nothing.

    Args:
        argv: program and arguments.
        log: its output is appended here.
    """

    def __init__(
        self, name: str, argv: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._argv = [str(part) for part in argv]
        self._environment = {**inherited(), **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        assert not self.running, f"{self.name} runs already"
        parent = os.getpid()

        def before_exec() -> None:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(0)

        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
                preexec_fn=before_exec,
            )

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def memory_bytes(self) -> int:
        """What it holds in memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    @property
    def cpu_s(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raises ClusterToolFailed with the end of its log if it has ended by itself."""
        if not self.running:
            raise ClusterToolFailed(f"{self.name} ended by itself; the end of its log:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def pause(self) -> None:
        """It neither runs nor answers, but its connections stay open.

        On a busy machine its threads may go on for a while after the signal: it is waited until all have stopped.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, *, within_s: float = END_WITHIN_S) -> None:
        """Ask it to end, and end it if it does not. Nothing if it does not run."""
        if self._child is None or not self.running:
            return
        self._child.send_signal(signal.SIGTERM)
        self._child.send_signal(signal.SIGCONT)
        try:
            self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """As a crash would end it."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
