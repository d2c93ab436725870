"""Checkpoints are whole or not there, and of one training."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("torch")

IDENTITY, OTHER = "ab" * 32, "cd" * 32


def store(folder: Path, identity: str = IDENTITY, said: list[str] | None = None) -> Any:
    from trimtab.steps.network.checkpoints import Checkpoints

    return Checkpoints(folder, identity, (said if said is not None else []).append)


def state(steps: int) -> dict[str, Any]:
    import torch

    return {"weights": torch.full((50,), float(steps)), "place": {"epoch": steps}}


def test_the_newest_two_are_kept_and_the_last_is_given(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert kept.last() is None
    for steps in (1, 2, 10, 11):
        kept.write(steps, state(steps))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000010.checkpoint",
        "000000000011.checkpoint",
    ]
    assert store(tmp_path).last()["place"] == {"epoch": 11}
    kept.clear()
    assert not tmp_path.exists()


@pytest.mark.parametrize("harm", ["cut", "bit", "empty", "other file"])
def test_a_damaged_one_is_told_and_the_one_before_taken(tmp_path: Path, harm: str) -> None:
    kept = store(tmp_path)
    kept.write(1, state(1))
    kept.write(2, state(2))
    newest = tmp_path / "000000000002.checkpoint"
    content = newest.read_bytes()
    changed = content[:300] + bytes([content[300] ^ 1]) + content[301:]
    newest.write_bytes({"cut": content[:-9], "bit": changed, "empty": b"", "other file": b"PK\3\4"}[harm])
    said: list[str] = []
    assert store(tmp_path, said=said).last()["place"] == {"epoch": 1}
    assert newest.name in said[0]
    assert "damaged" in said[0] or "no checkpoint" in said[0]


def test_one_of_another_training_is_told_and_left(tmp_path: Path) -> None:
    store(tmp_path, OTHER).write(5, state(5))
    said: list[str] = []
    assert store(tmp_path, said=said).last() is None
    assert "another model" in said[0]
    assert store(tmp_path, OTHER).last()["place"] == {"epoch": 5}


FULL = """
import sys
from pathlib import Path
import torch
from trimtab.api.errors import SurroundingsFailed
from trimtab.steps.network.checkpoints import Checkpoints
import resource
kept = Checkpoints(Path(sys.argv[1]), "ab" * 32)
kept.write(1, {"place": {"epoch": 1}})
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    kept.write(2, {"weights": torch.zeros(100_000)})
except SurroundingsFailed as full:
    print(full)
print(kept.last())
"""


def test_a_full_disk_is_a_sentence_and_the_last_good_one_stands(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "kept")], capture_output=True, text=True, check=True
    )
    assert "cannot be written (File too large); 000000000001.checkpoint stands" in done.stdout
    assert "remedy: free some disk" in done.stdout
    assert done.stdout.splitlines()[-1] == "{'place': {'epoch': 1}}"
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["000000000001.checkpoint"]


NO_SPACE = """
import os
import sys
from pathlib import Path
import torch
from trimtab.api.errors import SurroundingsFailed
from trimtab.steps.network.checkpoints import Checkpoints
disk = Path(sys.argv[1])
kept = Checkpoints(disk / "kept", "ab" * 32)
kept.write(1, {"place": {"epoch": 1}})
free = os.statvfs(disk).f_bavail
try:
    kept.write(2, {"weights": torch.zeros(200_000)})
except SurroundingsFailed as full:
    print(full)
print(kept.last(), os.statvfs(disk).f_bavail == free, os.listdir(kept.folder))
kept.write(3, {"place": {"epoch": 3}})
print(kept.last())
"""


def alone() -> list[str]:
    """What runs a command among mounts of its own, which go with it."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    tried = [*own, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount a disk here")
    return own


def test_a_disk_without_space_is_a_sentence_and_holds_no_half_of_a_checkpoint(tmp_path: Path) -> None:
    """A disk of its own, 512 KiB of memory: the kernel says ENOSPC."""
    run = 'mount -t tmpfs -o size=512k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        [*alone(), "sh", "-c", run, "sh", str(tmp_path), sys.executable, NO_SPACE],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, remedy, held, again = done.stdout.splitlines()
    assert "cannot be written (No space left on device); 000000000001.checkpoint stands" in said
    assert "remedy: free some disk" in remedy
    assert held == "{'place': {'epoch': 1}} True ['000000000001.checkpoint']"
    assert again == "{'place': {'epoch': 3}}"
