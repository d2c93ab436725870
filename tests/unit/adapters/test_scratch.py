"""Folders of processes that were killed go; those of processes that only others can see stay."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trimtab.adapters.files import scratch as module
from trimtab.adapters.files.scratch import scratch


def gone_pid() -> int:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    return int(done.stdout)


def of_another(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a container that shares the volume has it, whose number no process here has."""
    monkeypatch.setattr(module, "_space", lambda: "0123abcd")
    folder = root / f"0123abcd-{gone_pid()}-x"
    folder.mkdir(parents=True)
    monkeypatch.setattr(module, "_space", lambda: "ffff0000")
    return folder


def test_the_folder_of_a_process_that_is_gone_goes(tmp_path: Path) -> None:
    with scratch(tmp_path) as first:
        killed = first.name.replace(f"-{os.getpid()}-", f"-{gone_pid()}-")
        (tmp_path / killed).mkdir()
        (tmp_path / f"{gone_pid()}-of-before").mkdir()
        with scratch(tmp_path) as second:
            assert sorted(tmp_path.iterdir()) == sorted([first, second])
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_another_container_stays_while_it_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = of_another(tmp_path, monkeypatch)
    (theirs / "alive").write_text("1")
    long_ago = time.time() - 2 * module.FOREIGN_FOR_S
    os.utime(theirs, (long_ago, long_ago))
    with scratch(tmp_path):
        assert theirs.exists()
    os.utime(theirs / "alive", (long_ago, long_ago))
    os.utime(theirs, (long_ago, long_ago))
    with scratch(tmp_path):
        assert not theirs.exists()
