"""What is asked of Ray, and the folder over which a task and its workers talk."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.ray import RayWorkers
from trimtab.adapters.ray.resources import on_gpus
from trimtab.adapters.ray.room import EVENTS, FAILURE, RESERVE, Room
from trimtab.api.errors import ExtraMissing, SurroundingsFailed, TrimtabError

TWO_CORES = {"CPU": 2.0}


def test_more_workers_than_this_machine_has_cores_for_are_refused_with_the_number_that_fits() -> None:
    with pytest.raises(SurroundingsFailed, match="asks for 4 CPU cores, but this machine has 2") as refused:
        on_gpus(TWO_CORES, "training.workers: 4", 4, 1, "auto", here=True)
    assert "at most 2, " in str(refused.value.remedy)
    assert on_gpus(TWO_CORES, "training.workers: 4", 4, 1, "auto", here=False) is False  # a cluster may grow


def test_gpus_that_are_asked_for_and_not_there_are_refused() -> None:
    with pytest.raises(
        SurroundingsFailed, match=r"each with a GPU \(training.device: cuda\), but Ray finds 1 here"
    ):
        on_gpus({"CPU": 8, "GPU": 1}, "training.workers: 2", 2, 1, "cuda", here=True)


@pytest.mark.parametrize(
    ("device", "gpus", "taken"), [("auto", 2, True), ("auto", 1, False), ("cpu", 2, False)]
)
def test_gpus_are_taken_where_there_is_one_for_each(device: str, gpus: int, taken: bool) -> None:
    assert on_gpus({"CPU": 8, "GPU": gpus}, "training.workers: 2", 2, 1, device, here=True) is taken


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    nothing: Any = lambda *_: None  # noqa: E731  nobody calls it
    with pytest.raises(ExtraMissing, match="needs the extra 'ray'") as missing:
        RayWorkers(tmp_path / "tmp").run(nothing, 2, 1, "auto", nothing, nothing)
    assert missing.value.remedy == "pip install 'trimtab[ray]'"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_events_are_heard_once_each_in_order_and_only_when_whole(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert list(room.heard(0)) == []
    for number in range(3):
        room.tell(("told", number))
    heard = list(room.heard(0))
    assert [event for event, _ in heard] == [("told", 0), ("told", 1), ("told", 2)]
    behind = heard[-1][1]
    room.tell(("told", 3))
    whole = (tmp_path / EVENTS).read_bytes()
    for cut in range(behind, len(whole)):
        (tmp_path / EVENTS).write_bytes(whole[:cut])
        assert list(room.heard(behind)) == []
    (tmp_path / EVENTS).write_bytes(whole)
    assert [event for event, _ in room.heard(behind)] == [("told", 3)]


LIMITED = """
import resource, sys
from pathlib import Path
from trimtab.adapters.ray.room import Room
from trimtab.api.errors import SurroundingsFailed
room = Room(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # a write past it fails as one to a full disk
room.tell(("told", 0))
for write in (lambda: room.tell(("told", "x" * 5000)), lambda: room.put("large", "x" * 5000)):
    try:
        write()
    except SurroundingsFailed as full:
        print(full)
room.tell(("told", 1))
print([event for (_, event), _ in room.heard(0)])
"""


def test_a_full_disk_is_a_sentence_and_what_is_told_later_is_heard_all_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    *said, heard = done.stdout.splitlines()
    assert said[::2] == [f"{tmp_path}: cannot be written (File too large)"] * 2
    assert all("remedy: free some disk" in line for line in said[1::2])
    assert heard == "[0, 1]"
    assert [path.name for path in tmp_path.iterdir()] == [EVENTS]


def test_a_failure_is_told_from_a_full_disk_by_what_was_reserved_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No disk of a few bytes can be had without being root: this one is full as long as the reserve lies on it."""
    room, write = Room(tmp_path), Path.write_bytes
    room.reserve()

    def full(path: Path, content: bytes) -> int:
        if (tmp_path / RESERVE).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert room.put(FAILURE, SurroundingsFailed("the checkpoint cannot be written", remedy="free some disk"))
    assert str(room.get(FAILURE)).startswith("the checkpoint cannot be written")


def test_what_a_worker_says_last_of_its_peers_stands(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert room.lost() == {}
    room.lose(1, "connection refused")
    room.lose(1, "connection closed")
    room.lose(0, "timeout")
    assert room.lost() == {0: "timeout", 1: "connection closed"}


def test_of_several_failures_the_first_stands_with_its_class_and_remedy(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert room.put(FAILURE, ExtraMissing("torch", "model.py"))
    assert not room.put(FAILURE, TrimtabError("another"))
    found = room.get(FAILURE)
    assert isinstance(found, ExtraMissing)
    assert str(found) == str(ExtraMissing("torch", "model.py"))
    assert [path.name for path in tmp_path.iterdir()] == [FAILURE]
