"""The model folder: what export wrote, checked against its manifest before anything of it runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.api.errors import InputRefused
from trimtab.features import FeatureDefinition, Request, ServingPlan, load_features
from trimtab.features.columns import Array, Kind
from trimtab.serving.values import RequestRefused, column

BACKGROUND = "background.json"
NEEDED = ("model.onnx", "plan.json")


class FolderRefused(InputRefused):
    """A model folder that is not what its manifest says."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A verified model folder.

    Attributes:
        path: the folder.
        plan: its serving plan.
        definition: its features.py; without one, input is output.
        manifest: manifest.json as read.
    """

    path: Path
    plan: ServingPlan
    definition: FeatureDefinition
    manifest: Mapping[str, Any]

    @property
    def model(self) -> Path:
        return self.path / "model.onnx"

    def background(self) -> dict[str, Array]:
        """Features of the rows that an explanation starts from, each shape (rows,); empty where none were exported.

        Raises:
            FolderRefused: the file does not hold the plan's features.
        """
        if BACKGROUND not in self.manifest["files"]:
            return {}
        try:
            held: Any = json.loads((self.path / BACKGROUND).read_bytes())
            return {
                field.name: column(field.name, field.type, held[field.name]) for field in self.plan.outputs
            }
        except (OSError, ValueError, KeyError, TypeError, RequestRefused) as error:
            raise FolderRefused(
                f"{self.path / BACKGROUND}: {error}", remedy="export the model again"
            ) from error


def open_folder(path: Path, digest: str = "") -> ModelFolder:
    """The folder, with each file that the manifest lists hashed and compared.

    Args:
        digest: of the folder that is wanted, as it was registered; "" for whichever is there.

    Raises:
        FolderRefused: another folder than the one that is wanted, no manifest, a file missing or changed, or a
            features.py that the plan does not name.
        PlanRefused, FeaturesRefused: plan.json or features.py cannot be read.
    """
    manifest = _manifest(path)
    files: Mapping[str, str] = manifest["files"]
    if digest and (found := _digest_of(files)) != digest:
        raise FolderRefused(
            f"{path}: this folder has digest {found[:12]}…, the registered model {digest[:12]}…",
            remedy="a model's place is written once: export to a new one and register that",
        )
    for name in NEEDED:
        if name not in files:
            raise FolderRefused(f"{path}/manifest.json does not list {name}", remedy="export the model again")
    for name, digest in files.items():
        _verify(path / name, digest)
    plan = ServingPlan.from_json((path / "plan.json").read_bytes())
    return ModelFolder(path, plan, _definition(path, plan), manifest)


def _digest_of(files: Mapping[str, str]) -> str:
    """As the exporting step takes it."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        manifest: Any = json.loads((path / "manifest.json").read_bytes())
    except OSError as error:
        raise FolderRefused(
            f"{path}: no manifest.json can be read there ({error.strerror})",
            remedy="name a folder that trimtab exported, such as one of .trimtab/models/",
        ) from error
    except ValueError as error:
        raise FolderRefused(f"{path}/manifest.json: {error}", remedy="export the model again") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise FolderRefused(
            f"{path}/manifest.json: 'files' is no mapping of name to sha256", remedy="export the model again"
        )
    found: Mapping[str, Any] = manifest
    return found


def _verify(file: Path, digest: str) -> None:
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise FolderRefused(
            f"{file}: listed in manifest.json but cannot be read ({error.strerror})",
            remedy="copy the folder again, whole",
        ) from error
    if found != digest:
        raise FolderRefused(
            f"{file}: sha256 is {found[:12]}…, manifest.json says {digest[:12]}…",
            remedy="a model folder is written once; export the model again, or copy the folder again",
        )


def _definition(path: Path, plan: ServingPlan) -> FeatureDefinition:
    if not plan.transform_digest:
        return _input_is_output(plan)
    definition = load_features(path / "features.py")
    if definition.digest != plan.transform_digest:
        raise FolderRefused(
            f"{path}/features.py has digest {definition.digest[:12]}…, "
            f"plan.json was made with {plan.transform_digest[:12]}…",
            remedy="export the model again",
        )
    return definition


def _input_is_output(plan: ServingPlan) -> FeatureDefinition:
    kinds: dict[str, Kind] = {field.name: field.type for field in plan.inputs}
    return FeatureDefinition(Request(**kinds))
