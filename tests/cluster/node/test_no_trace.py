"""Two nodes at once, and what the machine has of them when they have ended: nothing."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

SYSTEM_FOLDERS = ("/var/lib", "/run", "/etc/cni", "/opt/cni", "/var/log/pods", "/var/log/containers", "/etc")
OURS = ("kubelet", "containerd", "cni", "etcd", "kubernetes", "calico", "pods", "containers", "netns")


def test_two_nodes_run_at_once_and_leave_nothing_on_the_machine(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from tests.cluster.kube.node import Node

    place = tmp_path_factory.mktemp("n")  # sockets lie below it: the test's own folder has too long a name
    before = traces(place)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(Node, (place / "one", place / "two"))
        list(pool.map(Node.start, (one, two)))
        try:
            ran = traces(place)
            assert alone(one, "one")
            assert alone(two, "two")
            assert one.cgroup != two.cgroup
            assert one.url != two.url
        finally:
            list(pool.map(Node.stop, (one, two)))
    assert {line.partition(" ")[0] for line in ran - before} >= {"process", "group"}
    assert traces(place) == before
    left = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert left < 100e6  # logs, keys and the audit


def alone(node: "Node", name: str) -> bool:
    """Whether it knows what was written to it, and that alone."""
    node.kubectl("create", "namespace", f"of-{name}")
    found = node.kubectl("get", "namespaces", "-o", "name").split()
    return [one for one in found if "/of-" in one] == [f"namespace/of-{name}"]


def traces(place: Path) -> set[str]:
    """Whatever of nodes in `place` this machine shows outside of that folder."""
    return {*_processes(place), *_groups(), *_mounts(place), *_links(), *_folders()}


def _processes(place: Path) -> Iterator[str]:
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_text(errors="replace")
        except OSError:
            continue
        if f"{place}/" in words:
            yield f"process {words[:80]}"


def _groups() -> Iterator[str]:
    """Control groups of this process's nodes; other runs may have theirs."""
    from tests.cluster.kube import node_cgroups

    for parent in node_cgroups.parents():
        for group in parent.glob(f"{node_cgroups.PREFIX}-{os.getpid()}-*"):
            yield f"group {group}"


def _mounts(place: Path) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if str(place) in line:
            yield f"mount {line}"


def _links() -> Iterator[str]:
    told = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=False).stdout
    for line in told.splitlines():
        yield f"link {line.split(':')[1].strip()}"


def _folders() -> Iterator[str]:
    for folder in map(Path, SYSTEM_FOLDERS):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name in OURS:
                yield f"folder {path}"
