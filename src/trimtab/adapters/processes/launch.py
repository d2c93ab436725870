"""Start one child: a session of its own, a log file, and death with its parent."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG = 1
NOT_INHERITED: Final = ("PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_MULTIPROCESS_DIR")
"""feast sets these when it is imported, for its own metrics, and MLflow's client imports feast as a plugin: a child
would keep its metrics in files of a folder that goes with its parent."""

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def launch(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Run `argv` with no standard input and its output appended to `log`.

    The kernel sends it SIGTERM when the thread that called this dies: call it from a thread that lives as
    long as the process, and from a process without other threads (code runs between fork and exec).

    Raises OSError if there is no such program.
    """
    parent = os.getpid()

    def before_exec() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(0)

    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**inherited(), **environment},
            start_new_session=True,
            preexec_fn=before_exec,
        )


def inherited() -> Mapping[str, str]:
    """This process's environment, as far as it is meant for a child."""
    return {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
