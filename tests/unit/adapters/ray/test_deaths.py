"""What is said of workers that ended without an answer."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trimtab.adapters.ray.deaths import died, hangs
from trimtab.adapters.ray.whereabouts import tell_when_asked, whereabouts
from trimtab.api.errors import SurroundingsFailed

ASKED = "training.workers: 2"
CLOSED = "[pair.cc:534] Connection closed by peer [127.0.0.1]:4242"


class Failures(Exception):
    """Ray Train's, as far as it is read."""

    def __init__(self, **failures: Exception) -> None:
        super().__init__("Training failed due to worker errors:\n" + "\n".join(map(str, failures.values())))
        self.worker_failures = {int(name[1:]): failure for name, failure in failures.items()}


class ActorDiedError(Exception):
    pass


@pytest.mark.parametrize(
    ("lost", "wrote", "remedy"),
    [
        ("NCCL error in: init.cc, unhandled system error\nncclSystemError: socket", [], "NCCL_SOCKET_IFNAME"),
        (
            "NCCL error: Error while creating shared memory segment /dev/shm/nccl-x",
            [],
            "emptyDir with medium",
        ),
        ("CUDA error: an illegal memory access was encountered", [], "nvidia-smi"),
        ("Gloo connectFullMesh failed with Connection timeout", [], "GLOO_SOCKET_IFNAME"),
        ("[gloo/device.cc] Unable to find address for: eth7", [], "GLOO_SOCKET_IFNAME"),
        (CLOSED, [], "out of memory"),
        (CLOSED, ["NCCL WARN Net: no interface found"], "NCCL_SOCKET_IFNAME"),
        (CLOSED, ["OSError: [Errno 28] No space left on device"], "free some disk"),
    ],
)
def test_each_cause_has_its_own_remedy(lost: str, wrote: list[str], remedy: str) -> None:
    told = died(ASKED, 3, Failures(_0=Exception("x")), {0: lost}, wrote)
    assert f"{ASKED}: one has died more than 3 times: worker 0 said: {' '.join(lost.split())}" == told.message
    assert remedy in str(told.remedy)
    assert "goes on from its last checkpoint" in str(told.remedy)


def test_a_killed_worker_is_named_and_what_another_said_is_not_taken_for_the_cause() -> None:
    failed = Failures(_1=ActorDiedError("the actor died unexpectedly"), _0=Exception(CLOSED))
    told = died(ASKED, 3, failed, {0: CLOSED, 1: "of an earlier try"}, [])
    assert "worker 1 was killed; worker 0 said: [pair.cc:534] Connection closed" in told.message
    assert "out of memory" in str(told.remedy)


def test_what_a_node_cannot_import_is_told_with_its_image() -> None:
    told = died(ASKED, 3, RuntimeError("Traceback\nModuleNotFoundError: No module named 'trimtab'"), {}, [])
    assert "No module named 'trimtab'" in told.message
    assert "this run's image" in str(told.remedy)


def test_a_sentence_that_came_by_ray_alone_is_passed_on() -> None:
    full = SurroundingsFailed("the disk is full", remedy="free some")
    assert died(ASKED, 3, Failures(_0=Exception(CLOSED), _1=full), {}, []) is full


COLLECTIVE = """
import os, sys
os.environ["GLOO_SOCKET_IFNAME"] = "no-such-interface"
from trimtab.ports.workers import PeerLost
from trimtab.steps.network.peers import met
try:
    with met(0, 1, f"file://{sys.argv[1]}", "cpu"):
        pass
except PeerLost as lost:
    print(lost)
"""


def test_what_gloo_itself_says_without_a_network_has_the_networks_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTIVE, str(tmp_path / "meeting")],
        capture_output=True,
        text=True,
        check=True,
    )
    told = died(ASKED, 3, Failures(_0=Exception("x")), {0: done.stdout}, [])
    assert "no-such-interface" in told.message
    assert "GLOO_SOCKET_IFNAME" in str(told.remedy)


def test_who_hangs_tells_where_and_who_cannot_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.adapters.ray.whereabouts.LOOK_S", 0.05)
    begun, over = threading.Event(), threading.Event()

    def waits_for_ever() -> None:
        tell_when_asked(tmp_path, 0)
        begun.set()
        while not over.wait(0.05):
            time.sleep(0)

    thread = threading.Thread(target=waits_for_ever)
    thread.start()
    begun.wait()
    places = whereabouts(tmp_path, 2)
    over.set()
    thread.join()
    assert places[0].startswith("worker 0 is at test_deaths.py, line ")
    assert places[0].endswith(", in waits_for_ever")
    assert places[1] == "worker 1 does not answer"
    told = hangs(ASKED, 600, places, met=True)
    assert "nothing is heard of them for 600 s, so they are ended: worker 0 is at" in told.message
    assert "something that waits" in str(told.remedy)
    apart = hangs(ASKED, 600, places, met=False)
    assert "they have not found each other" in apart.message
    assert "NetworkPolicy" in str(apart.remedy)
