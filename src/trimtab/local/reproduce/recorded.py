"""The provenance of what a person names: a pipeline run, an MLflow run, or a version of the model."""

import difflib
from pathlib import Path

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.local.reproduce.inputs import demand_own
from trimtab.local.runs import latest, recorded
from trimtab.local.versions import named_version, provenance_of

LATEST = "latest"


def provenance_named(run: str, loaded: Loaded, home: Home) -> Provenance:
    """What a run recorded.

    Args:
        run: the id or folder of a pipeline run, `latest`, the id of an MLflow run, `NAME/VERSION` or `NAME@ALIAS`.

    Raises:
        InputRefused: there is none of this name, it is another project's, or it made no model.
    """
    if (version := named_version(run, loaded, home)) is not None:
        return provenance_of(version)
    name = latest(home) or run if run == LATEST else run
    folders = [
        home.runs / name,
        home.mlflow / "artifacts" / loaded.project.name / name / "artifacts",
        Path(name),
    ]
    kept = next((folder / PROVENANCE for folder in folders if (folder / PROVENANCE).is_file()), None)
    if kept is None:
        raise _unknown(name, home)
    try:
        found = Provenance.from_json(kept.read_bytes())
    except ValueError as error:
        raise InputRefused(
            f"{kept}: {error}", remedy="restore the file, or name the model's version"
        ) from None
    demand_own(found, loaded, run)
    if not found.results.exported:
        raise InputRefused(
            f"run {name} ended before it had a model: there is nothing to make again",
            remedy="trimtab status shows how each run ended",
        )
    return found


def _unknown(name: str, home: Home) -> InputRefused:
    runs = [record.id for record in recorded(home)]
    if name in runs:
        return InputRefused(
            f"run {name} ended before it trained a model: there is nothing to make again",
            remedy="trimtab status shows how each run ended",
        )
    near = difflib.get_close_matches(name, runs, n=3, cutoff=0.5) or runs[:3]
    return InputRefused(
        f"there is no run '{name}'",
        remedy=f"did you mean {' or '.join(near)}? A version is named as NAME/3 or NAME@candidate"
        if near
        else "there are no runs yet: trimtab run",
    )
