"""A control plane in a temporary folder that goes with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.kube.control_plane import ControlPlane


@contextmanager
def running_control_plane(*, audit: bool = True) -> Iterator[ControlPlane]:
    with (
        tempfile.TemporaryDirectory(prefix="trimtab-plane-") as folder,
        ControlPlane(Path(folder) / "plane", audit=audit) as plane,
    ):
        yield plane
