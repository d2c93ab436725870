"""The first use of a registry's database, and a process that dies in it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("mlflow")

USE = """
import sys
from pathlib import Path
from trimtab.adapters.mlflow import MlflowRegistry
from trimtab.adapters.mlflow.client import local_uri
print(MlflowRegistry(local_uri(Path(sys.argv[1]))).versions("shop"))
"""


HELD = "import os, signal\nos.link = lambda *_: signal.pause()\n"
"""The tables do not get their place before it is killed."""


def test_a_process_that_is_killed_while_tables_are_made_leaves_nothing_half(tmp_path):
    database = tmp_path / "mlflow.db"
    first = subprocess.Popen([sys.executable, "-c", HELD + USE, str(database)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while largest(tmp_path) <= 50_000:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not database.exists()
    again = subprocess.run(
        [sys.executable, "-c", USE, str(database)], capture_output=True, text=True, check=False, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == "[]"
    assert database.exists()


def largest(folder: Path) -> int:
    """Bytes of the largest part of a database that is being made; SQLite's journals come and go meanwhile."""
    sizes = [0]
    for path in folder.glob(".mlflow.db.*"):
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes)
