"""The packages of the environment that runs the tests, in an image without a copy: torch alone brings four gigabytes.

The image has a layer that is empty but for a mark. Where a node has unpacked it, and before anything runs in it, the
environment's files are linked beside the mark. Nobody writes there: a container's own files lie above.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.images_oci import Layer, Layers
from tests.cluster.kube.images_python import PYTHONS, SITE

MARK = SITE / ".environment"
UNPACKED = f"io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/{MARK}"


def layer(layers: Layers, release: str) -> Layer:
    """The empty layer.

    Raises:
        ClusterToolFailed: this Python is none that the base layer's could take packages from.
    """
    here, there = ".".join(map(str, sys.version_info[:2])), PYTHONS[release]
    if here != there:
        raise ClusterToolFailed(
            f"the environment is Python {here}'s, that of the image is {there}",
            remedy=f"make setup PYTHON=python{there}, in a fresh checkout",
        )

    def fill(root: Path) -> None:
        (root / MARK).parent.mkdir(parents=True)
        (root / MARK).touch()

    return layers.get("environment", "1", fill)


def link(root: Path) -> None:
    """Fill each such layer that containerd has unpacked under `root` and that is empty yet."""
    for mark in root.glob(UNPACKED):
        packages = [str(path) for path in sorted(_site().iterdir()) if _wanted(path)]
        linked = subprocess.run(["cp", "-al", *packages, str(mark.parent)], capture_output=True, text=True)
        if linked.returncode:  # another file system
            shutil.rmtree(mark.parent)
            mark.parent.mkdir()
            subprocess.run(["cp", "-a", *packages, str(mark.parent)], check=True)
        mark.unlink(missing_ok=True)


def _site() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _wanted(path: Path) -> bool:
    """Whether it is a package: trimtab's own comes by its wheel."""
    return path.suffix != ".pth" and not path.name.startswith("trimtab")
