"""Kubernetes' own controllers beside a control plane, as processes of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.kube import arguments
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.control_plane import ControlPlane
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.ports.cluster import Kind

SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")


@contextmanager
def controller_manager(plane: ControlPlane, controllers: str = "*") -> Iterator[Process]:
    """Garbage collection, default accounts, namespaces' end, Deployments, Jobs, endpoints.

    Args:
        controllers: as kube-controller-manager's flag says: `*`, or names with commas between.
    """
    user = plane.login("system:kube-controller-manager").write(plane.folder / "controller-manager.kubeconfig")
    process = Process(
        "kube-controller-manager",
        [binary("kube-controller-manager"), *arguments.controller_manager(plane.keys, user, controllers)],
        plane.folder / "log" / "kube-controller-manager.log",
    )
    process.start()
    try:
        eventually("kube-controller-manager works", lambda: works(plane, process))
        yield process
    finally:
        process.stop()


def works(plane: ControlPlane, process: Process) -> bool:
    process.check()
    return plane.cluster.read(SERVICE_ACCOUNT, "default", "default") is not None


@contextmanager
def scheduler(plane: ControlPlane) -> Iterator[Process]:
    user = plane.login("system:kube-scheduler").write(plane.folder / "scheduler.kubeconfig")
    process = Process(
        "kube-scheduler",
        [binary("kube-scheduler"), *arguments.scheduler(user)],
        plane.folder / "log" / "kube-scheduler.log",
    )
    process.start()
    try:
        yield process
    finally:
        process.stop()
