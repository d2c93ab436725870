"""The runtime between a real API server and a proxy that does harm to order."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy


@pytest.fixture
def proxy(control_plane: "ControlPlane") -> Iterator["FaultProxy"]:
    from tests.cluster.kube.fault_proxy import FaultProxy

    with FaultProxy(control_plane.admin) as harm:
        yield harm


@pytest.fixture
def through(proxy: "FaultProxy", tmp_path: Path) -> str:
    """The kubeconfig of whoever goes through the proxy."""
    return str(proxy.login.write(tmp_path / "through"))


@pytest.fixture
def straight(control_plane: "ControlPlane") -> str:
    """The kubeconfig of whoever does not."""
    return str(control_plane.kubeconfig)


@pytest.fixture
def table(
    capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> Callable[[str, str], None]:
    """Prints a row of the fault table, and leaves it in the test's report."""

    def row(fault: str, held: str) -> None:
        record_property("fault table", f"{fault} | {held}")
        with capsys.disabled():
            sys.stdout.write(f"\n| {fault} | {held} |\n")

    return row
