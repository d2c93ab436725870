"""The provenance of what a person names: a pipeline run, an MLflow run, or a version of the model."""

import difflib
from pathlib import Path

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.local.reproduce.inputs import demand_own
from trimtab.local.runs import latest, recorded
from trimtab.local.versions import Versions, named_version, provenance_of, registered

LATEST = "latest"


def provenance_named(run: str, loaded: Loaded, home: Home) -> Provenance:
    """What a run recorded.

    Args:
        run: the id or folder of a pipeline run, `latest`, the id of an MLflow run, `NAME/VERSION` or `NAME@ALIAS`.
            Runs and versions of MLflow are those of the platform's server, if it names one.

    Raises:
        InputRefused: there is none of this name, it is another project's, or it made no model.
        SurroundingsFailed: a model's folder cannot be read, or the server not be reached.
    """
    versions = registered(loaded, home)
    if (version := named_version(run, versions)) is not None:
        return provenance_of(version, versions)
    name = latest(home) or run if run == LATEST else run
    files = (folder / PROVENANCE for folder in (home.runs / name, Path(name)))
    file = next((file for file in files if file.is_file()), None)
    kept = versions.recorded(name) if file is None else file.read_bytes()
    if kept is None:
        raise _unknown(name, home, versions)
    try:
        found = Provenance.from_json(kept)
    except ValueError as error:
        held = file or f"{PROVENANCE} of run {name} in {versions.where}"
        raise InputRefused(
            f"{held}: {error}", remedy="restore the file, or name the model's version"
        ) from None
    demand_own(found, loaded, run)
    if not found.results.exported:
        raise InputRefused(
            f"run {name} ended before it had a model: there is nothing to make again",
            remedy="trimtab status shows how each run ended",
        )
    return found


def _unknown(name: str, home: Home, versions: Versions) -> InputRefused:
    runs = [record.id for record in recorded(home)]
    if name in runs:
        return InputRefused(
            f"run {name} ended before it trained a model: there is nothing to make again",
            remedy="trimtab status shows how each run ended",
        )
    near = difflib.get_close_matches(name, runs, n=3, cutoff=0.5) or runs[:3]
    here = f"did you mean {' or '.join(near)}" if near else "there are no runs here yet: trimtab run"
    named = f"a version in {versions.where} is named as {versions.name}/3 or {versions.name}@candidate"
    return InputRefused(
        f"there is no run '{name}', neither in a folder here nor in {versions.where}",
        remedy="; ".join(one for one in (here, named, versions.others) if one),
    )
