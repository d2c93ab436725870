"""Real API servers for tests. How to use them: tests/cluster/kube."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.fault_table import fault, pytest_terminal_summary  # noqa: F401  # fixture and hook of this folder

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct
    from tests.cluster.kube.kserve import KServePlane

ROOT = Path(__file__).resolve().parents[2]
BUILDER = pytest.StashKey[subprocess.Popen[bytes]]()

InstallCrds = Callable[[Iterable[Path]], None]
ForGroup = Callable[..., Any]


class Shared:
    """What the tests of an xdist group share, and no other: an idle API server holds half a gigabyte."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._stack = ExitStack()

    def of(self, make: Callable[..., AbstractContextManager[Any]], *arguments: Hashable) -> Any:
        """What `make(*arguments)` gave the first time; it is left when the group ends."""
        key = make, arguments
        if key not in self._made:
            self._made[key] = self._stack.enter_context(make(*arguments))
        return self._made[key]

    def end(self) -> None:
        self._made.clear()
        self._stack.close()


SHARED = pytest.StashKey[Shared]()


def pytest_configure(config: pytest.Config) -> None:
    """Build what the cache lacks in the background, while other suites run; a test that needs it waits for it."""
    config.stash[SHARED] = Shared()
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
    config.stash[SHARED].end()  # of a run that was broken off
    builder = config.stash.get(BUILDER, None)
    if builder and builder.poll() is None:
        os.killpg(builder.pid, signal.SIGTERM)
        builder.wait()


def group_of(item: pytest.Item) -> object:
    mark = item.get_closest_marker("xdist_group")
    return mark and mark.args


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Workers take up one group after the other; a run without them shuffles groups, and keeps all to its end."""
    in_turn = hasattr(item.config, "workerinput")
    if nextitem is None or (in_turn and group_of(item) != group_of(nextitem)):
        item.config.stash[SHARED].end()


@pytest.fixture
def for_group(request: pytest.FixtureRequest) -> ForGroup:
    """`for_group(make, *arguments)`: the context manager's value, made once for all tests of a group."""
    return request.config.stash[SHARED].of


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


@pytest.fixture
def kserve_control_plane(for_group: ForGroup) -> "KServePlane":
    """Another plane, with KServe's manager (mode Standard), Kubernetes' controllers and a played kubelet."""
    from tests.cluster.kube.kserve import running_kserve_plane

    plane: KServePlane = for_group(running_kserve_plane)
    return plane


@pytest.fixture
def kserve_cluster(kserve_control_plane: "KServePlane") -> "Direct":
    """The port `Cluster` as admin of `kserve_control_plane`."""
    return kserve_control_plane.plane.cluster


@pytest.fixture
def kserve_namespace(kserve_cluster: "Direct") -> Iterator[str]:
    """A new namespace there."""
    from tests.cluster.kube.namespaces import fresh

    with fresh(kserve_cluster) as name:
        yield name
