"""Versions of the model as a person names them, `flights/3` or `flights@candidate`, and their provenance.

They are registered in the project's `.trimtab/mlflow`, or at the MLflow server that the chosen platform names. A server
has the small files of each version too, so that nothing else that the run wrote has to be within reach.
"""

import difflib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from trimtab.adapters.mlflow import MlflowRegistry, MlflowServer, MlflowServerRegistry
from trimtab.adapters.mlflow.profiles import MANIFEST, proven
from trimtab.adapters.mlflow.server import Missing
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load_platforms
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.bootstrap.local import mlflow_server, registry
from trimtab.ports.registry import ModelVersion
from trimtab.steps.model_folder import read_model_folder

NAMED: Final = re.compile(
    r"(?:models:/)?(?P<name>[a-z0-9][a-z0-9-]*)(?:/(?P<version>[0-9]+)|@(?P<alias>[a-z]+))"
)
RUN: Final = re.compile(r"[0-9a-f]{32}")
"""An MLflow run's id."""


class Versions(Protocol):
    """Where the versions of one project's model are registered.

    Attributes:
        name: of the model.
        where: for messages.
        first: how the first one comes there.
        others: where else versions may be, and how to name that place; "" for nowhere.
    """

    name: str
    where: str
    first: str
    others: str

    def all(self) -> Sequence[ModelVersion]:
        """The oldest first."""

    def alias(self, alias: str) -> ModelVersion | None: ...

    def provenance(self, version: ModelVersion) -> Provenance | None:
        """What made a version; None for a model from elsewhere.

        Raises:
            SurroundingsFailed: its folder cannot be read.
        """

    def recorded(self, run: str) -> bytes | None:
        """The provenance that a run of MLflow holds; None where there is no such run, or it holds none."""


def registered(loaded: Loaded, home: Home) -> Versions:
    """Where the chosen platform registers this project's model."""
    from trimtab.bootstrap.workplace import MLFLOW_VARIABLE

    server = mlflow_server(loaded)
    if server is None:
        return OwnVersions(loaded, home)
    named_by = MLFLOW_VARIABLE if os.environ.get(MLFLOW_VARIABLE) else "--platform"
    return ServerVersions(loaded.project.name, server, named_by)


class OwnVersions:
    """Those of `.trimtab/mlflow`."""

    def __init__(self, loaded: Loaded, home: Home) -> None:
        self.name, self._home = loaded.project.name, home
        self.where, self.first = "this project's .trimtab", "trimtab run"
        served = sorted(name for name, place in load_platforms(loaded.root).items() if place.mlflow)
        self.others = f"--platform {' or '.join(served)} asks the MLflow server of that" if served else ""
        self._registry: MlflowRegistry | None = (
            registry(home) if (home.mlflow / "mlflow.db").exists() else None
        )

    def all(self) -> Sequence[ModelVersion]:
        return self._registry.versions(self.name) if self._registry else ()

    def alias(self, alias: str) -> ModelVersion | None:
        return self._registry.alias(self.name, alias) if self._registry else None

    def provenance(self, version: ModelVersion) -> Provenance | None:
        held = read_model_folder(Path(version.uri)).metadata.get("provenance")
        return None if held is None else Provenance.model_validate(held)

    def recorded(self, run: str) -> bytes | None:
        path = self._home.mlflow / "artifacts" / self.name / run / "artifacts" / PROVENANCE
        return path.read_bytes() if path.is_file() else None


class ServerVersions:
    """Those of an MLflow server.

    Args:
        named_by: the option or variable that chose it.
    """

    def __init__(self, name: str, server: MlflowServer, named_by: str) -> None:
        self.name, self._server = name, server
        self._registry = MlflowServerRegistry(server)
        self.where = f"MLflow at {server.uri}"
        self.first = "trimtab pipeline submit, or a RetrainPolicy"
        self.others = f"what `trimtab run` made here is found without {named_by}"

    def all(self) -> Sequence[ModelVersion]:
        return self._registry.versions(self.name)

    def alias(self, alias: str) -> ModelVersion | None:
        return self._registry.alias(self.name, alias)

    def provenance(self, version: ModelVersion) -> Provenance | None:
        asked = {"name": self.name, "version": version.version}
        told = self._server.ask("model-versions/get", **asked)["model_version"]
        if not told.get("run_id") or not version.digest:
            return None
        held = json.loads(proven(self._server, told, MANIFEST))["metadata"].get("provenance")
        return None if held is None else Provenance.model_validate(held)

    def recorded(self, run: str) -> bytes | None:
        if not RUN.fullmatch(run):
            return None
        try:
            return self._server.artefact(run, PROVENANCE)
        except Missing:
            return None


def named_version(text: str, versions: Versions) -> ModelVersion | None:
    """The version; None where the text has not the form of one.

    Raises:
        InputRefused: of that form, and there is no such version.
    """
    told = NAMED.fullmatch(text)
    if told is None:
        return None
    name = versions.name
    if told["name"] != name:
        raise InputRefused(
            f"{text}: this project's model is '{name}'",
            remedy=f"go to the folder of project '{told['name']}', or name {name}/VERSION",
        )
    held = versions.all()
    if told["alias"]:
        found = versions.alias(told["alias"]) if held else None
    else:
        found = next((one for one in held if one.version == told["version"]), None)
    if found is None:
        numbers = [f"{name}/{one.version}" for one in held]
        near = difflib.get_close_matches(text, numbers, n=3) or numbers[-3:]
        here = f"there are {', '.join(near)}" if near else f"there are none yet: {versions.first}"
        raise InputRefused(
            f"there is no model version {text} in {versions.where}",
            remedy="; ".join(one for one in (here, versions.others) if one),
        )
    return found


def provenance_of(version: ModelVersion, versions: Versions) -> Provenance:
    """What made a version.

    Raises:
        InputRefused: it was made elsewhere.
        SurroundingsFailed: its folder cannot be read, or its server not be reached.
    """
    held = versions.provenance(version)
    if held is None:
        because = version.tags.get("trimtab.because", "")
        raise InputRefused(
            f"{version.name}/{version.version} was made by no run of trimtab"
            + (f": it was {because}" if because.startswith("registered") else ""),
            remedy="a run of trimtab records what made its model; a model from elsewhere has no such record",
        )
    return held
