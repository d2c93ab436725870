"""A control plane for the faults alone: hundreds of namespaces that nobody tidies up, since it goes as a whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.conftest import ForGroup
    from tests.cluster.control_plane.faults.machine import Machine
    from tests.cluster.control_plane.faults.settings import Mode, Setting
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.control_plane.faults.worlds import World
    from tests.cluster.kube.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[4]
ANY_ACCOUNT = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}


@contextmanager
def plane_to_harm() -> "Iterator[ControlPlane]":
    """An API server with all CRDs, on which any service account may write what a rollout writes."""
    from tests.cluster.control_plane.faults.worlds import stock_runtime
    from tests.cluster.control_plane.public_gateway import public_gateway
    from tests.cluster.kube.manifests import install, put
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane(audit=False) as plane:
        install(plane.cluster, [ROOT / "manifests" / "crds", *gateway_api_crds(), *kserve_crds()])
        public_gateway(plane.cluster)
        put(plane.cluster, [stock_runtime()])
        allow_accounts(plane)
        yield plane


def allow_accounts(plane: "ControlPlane") -> None:
    from tests.cluster.kube.rbac import EVERYTHING, await_rights

    rbac = "rbac.authorization.k8s.io"
    plane.cluster.create(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "any-account"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [ANY_ACCOUNT],
        }
    )
    await_rights(plane.cluster, "", ANY_ACCOUNT, EVERYTHING)


@pytest.fixture
def harmed_plane(for_group: "ForGroup") -> "ControlPlane":
    plane: ControlPlane = for_group(plane_to_harm)
    return plane


@pytest.fixture
def machine(for_group: "ForGroup", harmed_plane: "ControlPlane") -> "Machine":
    from tests.cluster.control_plane.faults.machine import running

    started: Machine = for_group(running, harmed_plane.kubeconfig)
    return started


@pytest.fixture
def kserve_worlds(for_group: "ForGroup") -> "Callable[[Mode], World]":
    """Planes with KServe's own manager, each begun when it is first asked for."""
    from tests.cluster.control_plane.faults.worlds import kserve_world

    return lambda mode: for_group(kserve_world, mode)


@pytest.fixture
def make_stage(setting: "Setting", request: pytest.FixtureRequest, tmp_path: Path) -> "Callable[..., Stage]":
    """A new stage in a new namespace, at each call."""
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.control_plane.faults.worlds import World

    if setting.real:
        world = request.getfixturevalue("kserve_worlds")(setting.mode)
    else:
        world = World(request.getfixturevalue("machine"))
    return lambda **settings: Stage(world.machine, world.players(setting), tmp_path, **settings)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A row of the table in each setting that its module names by SETTINGS; those that are played by themselves."""
    if "setting" in metafunc.fixturenames:
        from tests.cluster.control_plane.faults.settings import PLAYED

        metafunc.parametrize("setting", getattr(metafunc.module, "SETTINGS", PLAYED), ids=str)
