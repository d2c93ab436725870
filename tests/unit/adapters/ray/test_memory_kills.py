"""Whether a process was killed for want of memory, by the kernel's own count."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.adapters.ray.deaths import died
from trimtab.adapters.ray.memory_kills import MOUNT, in_words, memory_kills, note, noted


@pytest.mark.parametrize(
    ("membership", "file", "content", "killed"),
    [
        ("0::/\n", "memory.events", "low 0\nhigh 0\nmax 40\noom 3\noom_kill 2\n", 2),
        ("0::/user/a\n", "user/a/memory.events", "oom_kill 1\n", 1),
        ("3:memory:/kubepods/b\n0::/\n", "memory/memory.oom_control", "under_oom 0\noom_kill 4\n", 4),
        ("3:memory:/a\n", "memory/a/memory.oom_control", "oom_kill_disable 0\noom_kill 5\n", 5),
        ("3:memory:/a\n", "memory/a/memory.oom_control", "under_oom 0\n", 0),  # before Linux 4.13
        ("9:pids:/a\n", "memory.events", "oom_kill 1\n", 0),
        ("0::/gone\n", "elsewhere", "oom_kill 1\n", 0),
    ],
)
def test_both_versions_of_control_groups_are_read(
    tmp_path: Path, membership: str, file: str, content: str, killed: int
) -> None:
    (tmp_path / "cgroup").write_text(membership)
    told = tmp_path / "mount" / file
    told.parent.mkdir(parents=True)
    told.write_text(content)
    assert memory_kills(tmp_path / "cgroup", tmp_path / "mount") == killed


def test_without_control_groups_nothing_is_told(tmp_path: Path) -> None:
    assert memory_kills(tmp_path / "none", tmp_path) == 0


def test_only_those_since_the_first_beginning_count_and_each_host_for_itself(tmp_path: Path) -> None:
    (tmp_path / "kills-worker 0").write_text("a 3\nb 0\na 5\n")
    (tmp_path / "kills-worker 1").write_text("b 0\na 4\nc 7\n")
    assert noted(tmp_path) == {"a": 2}
    assert in_words({"a": 2, "b": 1}) == "out of memory: the kernel killed 2 processes on a, 1 process on b"
    assert in_words({"a": 1}, {"10.0.0.7": 3}) == (
        "out of memory: the kernel killed 1 process on a; Ray killed 3 processes on 10.0.0.7"
    )
    assert in_words({}, {"10.0.0.7": 1}) == "out of memory: Ray killed 1 process on 10.0.0.7"


def test_a_full_disk_costs_only_the_note(tmp_path: Path) -> None:
    note(tmp_path / "not there", "worker 0")
    assert noted(tmp_path) == {}


def test_who_was_killed_for_memory_is_told_before_what_the_others_said() -> None:
    kills = in_words({"pod-1": 4})
    told = died("workers: 2", 3, RuntimeError("x"), {0: "Connection timed out"}, [], kills)
    assert told.message.endswith(
        "worker 0 said: Connection timed out; out of memory: the kernel killed 4 processes on pod-1"
    )
    assert str(told.remedy).startswith("give each worker more memory, or lower training.batchRows; ")


HUNGRY = "x = bytearray(256 << 20)"
INSIDE = f"""
import os, pathlib, subprocess, sys
from trimtab.adapters.ray.memory_kills import note, noted
(pathlib.Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
room = pathlib.Path(sys.argv[2])
note(room, "worker 0")
killed = subprocess.run([sys.executable, "-c", {HUNGRY!r}]).returncode
note(room, "worker 0")
print(killed, *noted(room).values())
"""


@pytest.fixture
def narrow() -> Iterator[Path]:
    """A control group of 64 MiB."""
    for root, limit in (
        (MOUNT / "memory", "memory.limit_in_bytes"),
        (MOUNT, "memory.max"),
    ):
        group = root / f"trimtab-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(64 << 20))
            swap = group / "memory.memsw.limit_in_bytes"
            if swap.exists():
                swap.write_text(str(64 << 20))
            yield group
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    pytest.skip("no control group can be made here: it takes root, and the memory controller")


def test_what_the_kernel_kills_is_counted_by_who_lives_on(narrow: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(narrow), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["-9", "1"]
