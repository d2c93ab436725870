"""OCI images written without a daemon: a layer is a folder's tar, an archive is an image layout in one tar.

Layers are not compressed: they go from this disk to this disk. They are cached under a key that names what
they were made from, so an unchanged recipe costs nothing. (OCI image format specification 1.1.)
"""

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Layer:
    """A tar on this disk and the sha256 of its bytes, in hex."""

    tar: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Image:
    """What a container starts from.

    Attributes:
        name: as pods name it, with registry and tag: `localhost/web:1`.
        layers: from the lowest up.
        user: uid, or uid:gid; empty is root.
    """

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""

    @property
    def config(self) -> bytes:
        """The image's configuration, as its bytes; their digest is the image's id."""
        container = {"Entrypoint": list(self.entrypoint), "Env": [PATH, *self.env], "User": self.user}
        return _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": container,
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers],
                },
            }
        )


@dataclass(frozen=True, slots=True)
class Layers:
    """The cache of layers: a folder with `<name>-<key>.tar` and `<name>-<key>.sha256`."""

    folder: Path
    say: Callable[[str], None] = field(default=lambda line: None)

    def get(self, name: str, key: str, fill: Callable[[Path], None]) -> Layer:
        """The layer that `fill` writes into an empty folder, made once for each key."""
        short = hashlib.sha256(key.encode()).hexdigest()[:16]
        tar, digest = self.folder / f"{name}-{short}.tar", self.folder / f"{name}-{short}.sha256"
        if not digest.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.say(f"making the image layer '{name}'")
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=f"{name}-") as scratch:
                root = Path(scratch) / "root"
                root.mkdir(mode=0o755)
                fill(root)
                packed = Path(scratch) / "layer.tar"
                found = pack(root, packed)
                packed.replace(tar)
            written = digest.with_suffix(f".{os.getpid()}")
            written.write_text(found)
            written.replace(digest)
            for stale in self.folder.iterdir():
                other = re.fullmatch(rf"{re.escape(name)}-([0-9a-f]{{16}})\.(tar|sha256)", stale.name)
                if other and other[1] != short:
                    stale.unlink(missing_ok=True)
        return Layer(tar, digest.read_text())


def pack(root: Path, tar: Path) -> str:
    """Write the folder as a tar that depends on its content alone, owned by root; its sha256 in hex."""
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            entry = archive.gettarinfo(path, arcname=str(path.relative_to(root)))
            if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
                continue  # a device: the runtime makes its own
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return file_digest(tar)


def write(images: Iterable[Image], archive: BinaryIO, present: frozenset[str] = frozenset()) -> None:
    """Write all images into one OCI layout; a layer that several share stands in it once.

    Args:
        archive: where the tar goes; a pipe will do.
        present: digests of layers that the reader has already; they are left out.
    """
    manifests, blobs = [], dict[str, bytes]()
    files = dict[str, Path]()
    for image in images:
        layers = []
        for layer in image.layers:
            files[layer.digest] = layer.tar
            layers.append(_descriptor(LAYER, layer.digest, layer.tar.stat().st_size))
        config = _blob(CONFIG, image.config, blobs)
        body = _json({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
        named = {
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
        }
        manifests.append({**_blob(MANIFEST, body, blobs), "annotations": named})
    with tarfile.open(fileobj=archive, mode="w|") as out:
        _add(out, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(out, "index.json", _json({"schemaVersion": 2, "manifests": manifests}))
        for digest, content in blobs.items():
            _add(out, f"blobs/sha256/{digest}", content)
        for digest, tar in files.items():
            if digest in present:
                continue
            out.add(tar, arcname=f"blobs/sha256/{digest}")


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def tree_digest(*roots: Path) -> str:
    """The sha256 over the names and bytes of all files under the folders, caches of Python left out."""
    total = hashlib.sha256()
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(f"{path.relative_to(root)}\0".encode())
                total.update(path.read_bytes())
    return total.hexdigest()


def _blob(kind: str, content: bytes, blobs: dict[str, bytes]) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return _descriptor(kind, digest, len(content))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    out.addfile(entry, io.BytesIO(content))
