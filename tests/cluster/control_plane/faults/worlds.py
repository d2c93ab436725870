"""Where a setting is played: a bare API server, or one with KServe's own manager in either of its modes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from tests.cluster.control_plane.faults.beside_kserve import BesideKServe
from tests.cluster.control_plane.faults.conftest import allow_accounts
from tests.cluster.control_plane.faults.machine import Machine, running
from tests.cluster.control_plane.faults.players import Players
from tests.cluster.control_plane.faults.settings import STOCK, Mode, Setting
from tests.cluster.control_plane.public_gateway import public_gateway
from tests.cluster.kube.kserve import KServePlane, running_kserve_plane
from tests.cluster.kube.manifests import documents, put
from tests.cluster.kube.modules import kserve_cluster_resources
from trimtab.adapters.kserve.kinds import CLUSTER_SERVING_RUNTIME
from trimtab.ports.cluster import Object


@dataclass(frozen=True, slots=True)
class World:
    """An operator's machine over a plane; `kserve` is None where KServe is played."""

    machine: Machine
    kserve: KServePlane | None = None

    def players(self, setting: Setting) -> Players:
        """In a new namespace."""
        namespace = f"f-{uuid4().hex[:10]}"
        if self.kserve is None:
            return Players(self.machine.cluster, namespace, setting)
        return BesideKServe(self.machine.cluster, namespace, setting, self.kserve)


@contextmanager
def kserve_world(mode: Mode) -> Iterator[World]:
    """With KServe's own manager."""
    with ExitStack() as stack:
        kserve = stack.enter_context(running_kserve_plane(mode))
        plane = kserve.plane
        public_gateway(plane.cluster)
        allow_accounts(plane)
        put(plane.cluster, [stock_runtime()])
        yield World(stack.enter_context(running(plane.kubeconfig)), kserve)


def stock_runtime() -> Object:
    """KServe's sklearn server, as a release installs it."""
    wanted = (CLUSTER_SERVING_RUNTIME.kind, STOCK)
    held = documents([kserve_cluster_resources()], crds=False)
    return next(one for one in held if (one["kind"], one["metadata"]["name"]) == wanted)
