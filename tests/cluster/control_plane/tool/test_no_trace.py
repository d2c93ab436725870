"""A control plane touches its own folder and nothing else, and is gone when it is stopped, or when we are killed.

Other tests run at the same time, so each look is at what belongs to this plane: its processes, by their open files,
namespaces and cgroups while they run; its folder, ports and mounts afterwards.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from trimtab.adapters.processes.loopback import holder_of

WRITABLE = os.O_WRONLY | os.O_RDWR
STARTS_ONE = """
import sys, time
from pathlib import Path
from tests.cluster.kube.control_plane import ControlPlane
plane = ControlPlane(Path(sys.argv[1]))
plane.start()
print(plane.etcd.pid, plane.apiserver.pid, flush=True)
time.sleep(600)
"""


def written_outside(pid, folder):
    """Regular files outside of the folder that the process holds open for writing."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            flags = int(Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split("flags:")[1].split()[0], 8)
            target = link.readlink()
        except FileNotFoundError:  # closed meanwhile: a socket, mostly
            continue
        if flags & WRITABLE and target.is_file() and not target.is_relative_to(folder):
            found.append(target)
    return found


def surroundings(pid):
    """Namespaces and cgroups of a process."""
    spaces = {link.name: link.readlink() for link in Path(f"/proc/{pid}/ns").iterdir()}
    return spaces, Path(f"/proc/{pid}/cgroup").read_text()


def naming(text):
    """Processes whose command lines hold the text."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes():
    return {int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()}


def holder(port):
    """Who listens there; 0 for nobody."""
    return int((holder_of(port) or "process 0").split()[1])


def test_a_stopped_plane_leaves_nothing():
    from tests.cluster.kube.kserve import running_kserve_plane

    with running_kserve_plane() as all_of_it:
        plane = all_of_it.plane
        folder = plane.folder.parent
        parts = (
            plane.etcd,
            plane.apiserver,
            all_of_it.controllers,
            all_of_it.scheduler,
            all_of_it.kubelet,
            all_of_it.manager,
        )
        pids = [part.pid for part in parts]
        ports = [int(plane.url.rpartition(":")[2])]
        assert set(pids) <= set(naming(str(folder))) | {os.getpid()}
        for pid in pids:
            assert written_outside(pid, folder) == []
            assert surroundings(pid) == surroundings(os.getpid())
        there = processes()
    assert not folder.exists()
    assert naming(str(folder)) == []
    assert not {holder(port) for port in ports} & there  # one that came later may have got a free port
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()


def test_a_plane_dies_with_a_killed_run(tmp_path):
    from tests.cluster.kube.poll import eventually

    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(tmp_path / "plane")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    ) as run:
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        run.send_signal(signal.SIGKILL)
    eventually("both are gone", lambda: not any(alive(pid) for pid in pids))
