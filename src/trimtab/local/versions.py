"""Versions of the model as a person names them, `flights/3` or `flights@candidate`, and their provenance."""

import difflib
import re
from pathlib import Path
from typing import Final

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import Provenance
from trimtab.ports.registry import ModelVersion
from trimtab.steps.model_folder import read_model_folder

NAMED: Final = re.compile(
    r"(?:models:/)?(?P<name>[a-z0-9][a-z0-9-]*)(?:/(?P<version>[0-9]+)|@(?P<alias>[a-z]+))"
)


def named_version(text: str, loaded: Loaded, home: Home) -> ModelVersion | None:
    """The version; None where the text has not the form of one.

    Raises:
        InputRefused: of that form, and there is no such version.
    """
    told = NAMED.fullmatch(text)
    if told is None:
        return None
    name = loaded.project.name
    if told["name"] != name:
        raise InputRefused(
            f"{text}: this project's model is '{name}'",
            remedy=f"go to the folder of project '{told['name']}', or name {name}/VERSION",
        )
    from trimtab.bootstrap.local import registry

    held = registry(home).versions(name) if (home.mlflow / "mlflow.db").exists() else ()
    if told["alias"]:
        found = registry(home).alias(name, told["alias"]) if held else None
    else:
        found = next((one for one in held if one.version == told["version"]), None)
    if found is None:
        numbers = [f"{name}/{one.version}" for one in held]
        near = difflib.get_close_matches(text, numbers, n=3) or numbers[-3:]
        raise InputRefused(
            f"there is no model version {text}",
            remedy=f"there are {', '.join(near)}" if near else "there are none yet: trimtab run",
        )
    return found


def provenance_of(version: ModelVersion) -> Provenance:
    """What made a version: it lies in its model folder.

    Raises:
        InputRefused: it was made elsewhere.
        SurroundingsFailed: its folder cannot be read.
    """
    held = provenance_in(version)
    if held is None:
        because = version.tags.get("trimtab.because", "")
        raise InputRefused(
            f"{version.name}/{version.version} was not made here"
            + (f": it was {because}" if because.startswith("registered") else ""),
            remedy="a run of trimtab records what made its model; a model from elsewhere has no such record",
        )
    return held


def provenance_in(version: ModelVersion) -> Provenance | None:
    """What made a version; None for a model from elsewhere.

    Raises:
        SurroundingsFailed: its folder cannot be read.
    """
    held = read_model_folder(Path(version.uri)).metadata.get("provenance")
    return None if held is None else Provenance.model_validate(held)
