"""Real API servers for tests. How to use them: tests/cluster/kube."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.fault_table import fault, pytest_terminal_summary  # noqa: F401  # fixture and hook of this folder

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct
    from tests.cluster.kube.kserve import KServePlane

ROOT = Path(__file__).resolve().parents[2]
BUILDER = pytest.StashKey[subprocess.Popen[bytes]]()

InstallCrds = Callable[[Iterable[Path]], None]


def pytest_configure(config: pytest.Config) -> None:
    """Build what the cache lacks in the background, while other suites run; a test that needs it waits for it."""
    from tests.cluster.kube.binaries import CONTROL_PLANE, HOST_CONTROLLERS, announcement, missing

    wanted = (*CONTROL_PLANE, *HOST_CONTROLLERS)
    todo = missing(wanted)
    if not todo or hasattr(config, "workerinput") or config.option.collectonly:
        return
    print(f"\n{announcement(todo)}; other tests run meanwhile", file=sys.__stderr__, flush=True)
    config.stash[BUILDER] = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.kube", "build", *wanted],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    builder = config.stash.get(BUILDER, None)
    if builder and builder.poll() is None:
        os.killpg(builder.pid, signal.SIGTERM)
        builder.wait()


@pytest.fixture(scope="session")
def control_plane() -> Iterator["ControlPlane"]:
    """etcd and kube-apiserver, one for all tests of a worker: leave it running."""
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane:
        yield plane


@pytest.fixture
def own_control_plane() -> Iterator["ControlPlane"]:
    """One for this test alone, which may stop, pause and kill its parts."""
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster(control_plane: "ControlPlane") -> "Direct":
    """The port `Cluster` as admin of `control_plane`, uncached."""
    return control_plane.cluster


@pytest.fixture
def namespace(cluster: "Direct") -> Iterator[str]:
    """A new namespace of `control_plane` with the service account `default`; all in it goes after the test."""
    from tests.cluster.kube.namespaces import fresh

    with fresh(cluster) as name:
        yield name


@pytest.fixture(scope="session")
def install_crds(cluster: "Direct") -> InstallCrds:
    """Apply files, or folders of files, to `control_plane` and wait until their CRDs are served."""
    from tests.cluster.kube.manifests import install

    return lambda paths: install(cluster, paths)


@pytest.fixture(scope="session")
def trimtab_crds(install_crds: InstallCrds) -> None:
    """trimtab's own, on `control_plane`."""
    install_crds([ROOT / "manifests" / "crds"])


@pytest.fixture(scope="session")
def gateway_api_crds(install_crds: InstallCrds) -> None:
    """Gateway API's standard channel, on `control_plane`."""
    from tests.cluster.kube.modules import gateway_api_crds

    install_crds(gateway_api_crds())


@pytest.fixture(scope="session")
def kserve_crds(install_crds: InstallCrds) -> None:
    """KServe's, on `control_plane`."""
    from tests.cluster.kube.modules import kserve_crds

    install_crds(kserve_crds())


@pytest.fixture(scope="session")
def kserve_control_plane() -> Iterator["KServePlane"]:
    """Another plane, with KServe's manager (mode Standard), Kubernetes' controllers and a played kubelet."""
    from tests.cluster.kube.kserve import running_kserve_plane

    with running_kserve_plane() as all_of_it:
        yield all_of_it


@pytest.fixture(scope="session")
def kserve_cluster(kserve_control_plane: "KServePlane") -> "Direct":
    """The port `Cluster` as admin of `kserve_control_plane`."""
    return kserve_control_plane.plane.cluster


@pytest.fixture
def kserve_namespace(kserve_cluster: "Direct") -> Iterator[str]:
    """A new namespace there."""
    from tests.cluster.kube.namespaces import fresh

    with fresh(kserve_cluster) as name:
        yield name
