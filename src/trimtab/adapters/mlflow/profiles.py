"""What the watcher of a model needs of its folder, read back through the registry that it was registered in.

register uploads manifest.json, profile.json and samples.json as artefacts of the version's run. So the operator reads
no storage with the users' credentials. What comes back is proven to be this model's: the manifest's digest is that
of the version, and each file's is that of the manifest.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.mlflow.registry import DIGEST
from trimtab.adapters.mlflow.server import Missing, MlflowServer
from trimtab.adapters.mlflow.server_registry import FOLDER, version_of, versions_of
from trimtab.api.errors import InputRefused
from trimtab.drift import Profile
from trimtab.ports.profiles import Unprofiled

MANIFEST: Final = "manifest.json"
PROFILE: Final = "profile.json"
SAMPLES: Final = "samples.json"
KEPT: Final = (MANIFEST, PROFILE, SAMPLES)
"""What register uploads of a model folder."""


class MlflowProfiles:
    """`trimtab.ports.profiles.Profiles` of one registered model, with the samples for warming up.

    Args:
        name: the registered model.
        cache: folder for files by digest; what was proven once is not fetched again.
    """

    def __init__(self, server: MlflowServer, name: str, cache: Path) -> None:
        self._server, self._name, self._cache = server, name, cache

    def profile(self, uri: str) -> bytes:
        content = self._file(uri, PROFILE)
        Profile.from_bytes(content)  # refuses what is no profile
        return content

    def rows(self, uri: str) -> Sequence[Mapping[str, Any]]:
        """The example requests of the model folder at `uri`, for warming up; none of a model that has none.

        Raises:
            InputRefused: samples.json is another model's, or no list of requests.
        """
        try:
            content = self._file(uri, SAMPLES)
        except Unprofiled:
            return ()
        try:
            rows = json.loads(content)
        except ValueError:
            rows = None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputRefused(
                f"{SAMPLES} of {self._name} at {uri} is no list of requests", remedy="export it again"
            )
        return rows

    def _file(self, uri: str, file: str) -> bytes:
        told = next((one for one in versions_of(self._server, self._name) if one.get("source") == uri), None)
        if told is None:
            raise InputRefused(
                f"the registry has no version of {self._name} whose source is {uri}",
                remedy="see that nobody deleted it; a new one: trimtab register",
            )
        digest, number = version_of(told).digest, told["version"]
        if not digest or not told.get("run_id"):
            raise Unprofiled(
                f"version {number} of {self._name} has no {file}: it was not registered by trimtab",
                remedy="register it with `trimtab register MODEL --profile REFERENCE`",
            )
        kept = self._cache / digest / file
        try:
            return kept.read_bytes()
        except FileNotFoundError:
            content = proven(self._server, told, file)
            keep(kept, content)
            return content


def proven(server: MlflowServer, told: Mapping[str, Any], file: str) -> bytes:
    """A file of a version's model folder, proven to be this model's.

    Args:
        told: the version, as `versions_of` gives it, with a digest and a run.
        file: one of KEPT.

    Raises:
        InputRefused: the version's run holds no such file, or another model's.
        SurroundingsFailed: the server cannot be reached, or fails.
    """
    name, number, run, digest = told["name"], told["version"], told["run_id"], version_of(told).digest
    try:
        manifest = server.artefact(run, f"{FOLDER}/{MANIFEST}")
        content = manifest if file == MANIFEST else server.artefact(run, f"{FOLDER}/{file}")
    except Missing as missing:
        raise InputRefused(
            f"run {run} of version {number} of {name} holds no {FOLDER}/{file}",
            remedy="export and register the model again",
        ) from missing
    listed = files_of(manifest)
    if folder_digest(listed) != digest:
        raise InputRefused(
            f"run {run} holds the files of another model than version {number} of {name}: its manifest is "
            f"of {folder_digest(listed)[:12]}, the version says {DIGEST} {digest[:12]}",
            remedy="export and register the model again",
        )
    if file != MANIFEST and hashlib.sha256(content).hexdigest() != listed.get(file):
        raise InputRefused(
            f"{file} in run {run} is not the one of version {number} of {name}: its digest is "
            f"{hashlib.sha256(content).hexdigest()[:12]}, the manifest says {str(listed.get(file))[:12]}",
            remedy="export and register the model again",
        )
    return content


def files_of(manifest: bytes) -> dict[str, str]:
    """sha256 by file of a manifest; nothing of one that cannot be read."""
    try:
        told: Any = json.loads(manifest)
        return {str(name): str(digest) for name, digest in told["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def folder_digest(files: dict[str, str]) -> str:
    """The digest of a model folder whose files have these digests, as export writes it."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def keep(path: Path, content: bytes) -> None:
    """Write a file of the cache, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    making.write_bytes(content)
    making.replace(path)
