"""The steps of a run from build to export, made again in a scratch folder: what `reproduce` starts as a process.

    python -m trimtab.local.reproduce.rebuild PROVENANCE.json PROJECT_FOLDER SCRATCH_FOLDER

The sources' tables are linked into the scratch folder, or copied there from their bucket, and read at the versions that
the run read; every other table is made there anew. It leaves
SCRATCH_FOLDER/provenance.json, or failure.json (message, remedy, status).
"""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import load_platform
from trimtab.api.errors import TrimtabError
from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.bootstrap import component, rows
from trimtab.bootstrap.artefacts import read_provenance, write_pointers
from trimtab.bootstrap.workplace import PLATFORM_VARIABLE, tables_of
from trimtab.ports.tables import Pointer
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.fitting.forms import Form

FAILURE = "failure.json"


def rebuild(recorded: Provenance, home: Home, scratch: Path) -> Provenance:
    """Make the run's model again; touches nothing outside `scratch`.

    Raises:
        TrimtabError: what a step of a run raises.
    """
    place = Home.of(scratch)
    bundle = place.bundles / recorded.bundle.name
    shutil.copytree(home.bundles / recorded.bundle.name, bundle)
    # what it makes lies here, wherever the platform has the tables that it reads
    tables = tables_of(load_platform(home.path.parent, os.environ.pop(PLATFORM_VARIABLE, None)), home)
    sources = recorded.sources()
    for held in sources.values():
        tables.bring(held.table, held.version, place.tables)

    def artefact(name: str) -> Any:
        return SimpleNamespace(path=str(scratch / name), metadata={}, log_metric=lambda *_: None)

    named = {name: artefact(name) for name in ("sources", "tables", "judged", "good", "report", "outcome")}
    write_pointers(
        {name: Pointer(held.table, held.version, held.rows, held.digest) for name, held in sources.items()},
        named["sources"],
    )
    project, until, window = str(bundle), recorded.until, recorded.window
    rows.build(project, until, "", named["sources"], named["tables"], named["judged"])
    rows.validate(
        project, until, "", named["tables"], named["judged"], named["good"], named["report"], named["outcome"]
    )
    features, model, final = artefact("features"), artefact("model"), artefact("final")
    component.featurize(project, until, "", named["good"], features)
    component.train(project, until, window, "", features, model, artefact("metrics"), recorded.chosen)
    # also where it fits nothing: the reference skills are its own
    component.refit(project, window, recorded.run, features, model, final)
    form = Form(recorded.pruned, recorded.quantized)
    if form:  # the judge's word, who is not asked again
        replace(FittedModel.load(Path(final.path)), cheaper=form).save(Path(final.path))
    (scratch / "export").mkdir()
    component.export(project, features, final, artefact("export/servable"))
    return read_provenance(scratch / "export")


def main(recorded: str, project: str, scratch: str) -> int:
    folder = Path(scratch)
    try:
        made = rebuild(Provenance.from_json(Path(recorded).read_bytes()), Home.of(Path(project)), folder)
    except TrimtabError as error:
        told = {"message": error.message, "remedy": error.remedy, "status": int(error.status)}
        (folder / FAILURE).write_text(json.dumps(told))
        return int(error.status)
    (folder / PROVENANCE).write_text(made.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
