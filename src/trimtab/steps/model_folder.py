"""A model folder: what a server needs, and nothing else, under its own digest; written once.

    model.onnx · features.py · plan.json · profile.json · samples.json · background.json · manifest.json

manifest.json holds sha256 of each file, the folder's digest (sha256 over lines "<name> <sha256>" in order of
name), and metadata that the digest does not cover.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import SurroundingsFailed

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder.

    Attributes:
        path: `<root>/<first 16 of digest>`.
        digest: sha256, hex.
        metadata: of the version: lineage, metrics.
    """

    path: Path
    digest: str
    metadata: Mapping[str, Any]


def folder_digest(files: Mapping[str, str]) -> str:
    """The digest of a folder whose files have these digests."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def write_model_folder(root: Path, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> ModelFolder:
    """Write the folder, whole or not at all; the one that exists if its content is the same.

    Raises:
        SurroundingsFailed: the disk is full, or not ours.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    digest = folder_digest(digests)
    path = root / digest[:16]
    if (path / MANIFEST).exists():
        return read_model_folder(path)
    manifest = {"digest": digest, "files": digests, "metadata": dict(metadata)}
    try:
        root.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=root))
        try:
            for name, content in files.items():
                (making / name).write_bytes(content)
            (making / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
            making.chmod(0o755)
            os.rename(making, path)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        if (path / MANIFEST).exists():  # another process was first
            return read_model_folder(path)
        raise SurroundingsFailed(
            f"{path}: cannot be written ({error.strerror})",
            remedy="free some disk, then run again with --resume",
        ) from error
    return ModelFolder(path, digest, dict(metadata))


def read_model_folder(path: Path) -> ModelFolder:
    """The folder's digest and metadata, its files not checked.

    Raises:
        SurroundingsFailed: its manifest cannot be read.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        return ModelFolder(path, manifest["digest"], manifest["metadata"])
    except (OSError, ValueError, KeyError) as error:
        raise SurroundingsFailed(
            f"{path}: no manifest can be read ({error})", remedy="export the model again"
        ) from error
