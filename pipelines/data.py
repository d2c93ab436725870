"""What every pipeline begins with: sources taken in, tables built, expectations judged."""

from dataclasses import dataclass
from typing import Any

from components.build.component import build
from components.ingest.component import ingest
from components.validate.component import validate
from pipelines.placing import Placing


@dataclass(frozen=True, slots=True)
class Data:
    """Outputs of the first steps.

    Attributes:
        until: the one moment of all steps, also where the run's parameter is empty.
        rows: pointers by table, without the rows in quarantine.
        version: changes exactly when the rows do.
    """

    until: Any
    rows: Any
    version: Any


def taken_in(place: Placing, project: str, until: str) -> Data:
    """The first steps, as tasks of the pipeline that is being built."""
    taken = place.reading(ingest(project=project, until=until), cached=False, outside=True)
    end = taken.outputs["moment"]
    built = place.long(
        build(
            project=project,
            until=end,
            sources_version=taken.outputs["version"],
            sources=taken.outputs["sources"],
        )
    )
    valid = place.reading(
        validate(
            project=project,
            until=end,
            tables_version=built.outputs["version"],
            tables=built.outputs["tables"],
            judged=built.outputs["judged"],
        )
    )
    return Data(end, valid.outputs["good"], valid.outputs["version"])
