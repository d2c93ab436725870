"""containerd's folder with images in it, made once and kept in the cache: a node begins with a copy of hard links.

What lies in it never changes: blobs are named by their digest, and an image's unpacked files are the lower layers of
overlays, which the kernel copies before anybody writes. Only the databases are copied for good.
"""

import hashlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kube import images_oci
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.cache import home, locked
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.images_oci import Image

STARTS_WITHIN_S = 30.0
NAMESPACE = "k8s.io"
"""Where Kubernetes looks for images."""


def begin(images: Sequence[Image], root: Path) -> None:
    """Make `root` a containerd folder that holds the images."""
    held = _held(images)
    linked = subprocess.run(["cp", "-al", str(held), str(root)], capture_output=True, text=True)
    if linked.returncode:  # another file system
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", str(held), str(root)], check=True)
    for database in root.rglob("*.db"):
        own = database.with_suffix(".own")
        shutil.copyfile(database, own)
        own.replace(database)


def give(socket: Path, images: Sequence[Image], present: frozenset[str] = frozenset()) -> None:
    """Import images into a containerd that runs.

    Args:
        present: digests of layers that it has already.
    """
    command = [str(binary("ctr")), "-a", str(socket), "-n", NAMESPACE, "images", "import", "-"]
    with tempfile.TemporaryFile() as said:
        importing = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said)
        assert importing.stdin is not None
        with importing.stdin as stream:
            images_oci.write(images, stream, present)
        if importing.wait():
            said.seek(0)
            raise ClusterToolFailed(f"importing images failed: {said.read()[-1000:].decode()}")


def give_archive(socket: Path, archive: Path) -> None:
    """Import what another tool wrote, names and all, into a containerd that runs."""
    command = [str(binary("ctr")), "-a", str(socket), "-n", NAMESPACE, "images", "import", str(archive)]
    said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode:
        raise ClusterToolFailed(f"importing {archive.name} failed: {said.stderr[-1000:]}")


def _held(images: Sequence[Image]) -> Path:
    """The folder in the cache; stale ones go."""
    told = "\n".join(sorted(f"{image.name} {image.config.decode()}" for image in images))
    place = home() / "stores" / hashlib.sha256(told.encode()).hexdigest()[:16]
    with locked("stores"):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
                _make(images, Path(scratch))
                (Path(scratch) / "root").rename(place)
            for stale in place.parent.iterdir():
                if stale != place and not stale.name.startswith("."):
                    shutil.rmtree(stale, ignore_errors=True)
    return place


def _make(images: Sequence[Image], scratch: Path) -> None:
    config, socket, log = scratch / "containerd.toml", scratch / "containerd.sock", scratch / "log"
    config.write_text(
        "version = 3\n"
        f"root = '{scratch / 'root'}'\nstate = '{scratch / 'state'}'\n"
        f"disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', "
        "'io.containerd.cri.v1.runtime']\n"
        f"[grpc]\n  address = '{socket}'\n[ttrpc]\n  address = '{socket}.ttrpc'\n"
        f"[plugins.'io.containerd.internal.v1.opt']\n  path = '{scratch / 'opt'}'\n"
    )
    command = ["unshare", "-m", str(binary("containerd")), f"--config={config}"]
    with log.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _until_it_answers(running, socket, log)
        give(socket, images)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def _until_it_answers(running: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    ask = [str(binary("ctr")), "-a", str(socket), "--connect-timeout=1s", "version"]
    deadline = time.monotonic() + STARTS_WITHIN_S
    while subprocess.run(ask, capture_output=True).returncode:
        if running.poll() is not None or time.monotonic() > deadline:
            raise ClusterToolFailed(f"containerd did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
