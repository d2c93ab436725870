"""Events of OpenLineage's specification 2-0-2 (openlineage.io/spec), as JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from typing import Any, Final

SPEC: Final = "https://openlineage.io/spec"
RUN_EVENT: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS: Final[Mapping[str, str]] = {
    "parent": "1-0-1/ParentRunFacet",
    "errorMessage": "facets/1-0-0/ErrorMessageRunFacet",
    "jobType": "facets/2-0-4/JobTypeJobFacet",
    "schema": "facets/1-0-0/SchemaDatasetFacet",
    "version": "facets/1-0-0/DatasetVersionDatasetFacet",
    "outputStatistics": "1-0-1/OutputStatisticsOutputDatasetFacet",
}
"""Where a facet of each key is specified."""


class Moment(StrEnum):
    """Transitions of a run: one START, then one of the others."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


@dataclass(frozen=True, slots=True)
class Job:
    """What runs again and again: a pipeline, or a task of one as `<pipeline>.<task>`."""

    namespace: str
    name: str

    def to_dict(self) -> dict[str, Any]:
        return {"namespace": self.namespace, "name": self.name}


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a task reads or writes.

    Attributes:
        version: as its store counts, or a digest; "" where it has none.
        columns: type by name; empty where it is no table.
        rows: how many; None where unknown.
    """

    namespace: str
    name: str
    version: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None

    def to_dict(self, *, written: bool) -> dict[str, Any]:
        facets: dict[str, Any] = {}
        if self.version:
            facets |= facet("version", datasetVersion=self.version)
        if self.columns:
            fields = [{"name": name, "type": kind} for name, kind in self.columns.items()]
            facets |= facet("schema", fields=fields)
        told: dict[str, Any] = {"namespace": self.namespace, "name": self.name, "facets": facets}
        if written and self.rows is not None:
            told["outputFacets"] = facet("outputStatistics", rowCount=self.rows)
        return told


def facet(key: str, **said: Any) -> dict[str, Any]:
    """One facet under its key, with who says so and where it is specified."""
    place = FACETS[key]
    name = place.rpartition("/")[2]
    return {key: {"_producer": producer(), "_schemaURL": f"{SPEC}/{place}.json#/$defs/{name}", **said}}


def run_event(
    moment: Moment,
    at: datetime,
    run: str,
    job: Job,
    *,
    kind: str,
    parent: tuple[str, Job] | None = None,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    error: str = "",
) -> dict[str, Any]:
    """A RunEvent.

    Args:
        run: a UUID.
        kind: of job: DAG or TASK.
        parent: the run and the job that this run is a part of.
        error: why it failed.
    """
    facets: dict[str, Any] = {}
    if parent is not None:
        facets |= facet("parent", run={"runId": parent[0]}, job=parent[1].to_dict())
    if error:
        facets |= facet("errorMessage", message=error, programmingLanguage="python")
    of_job = facet("jobType", processingType="BATCH", integration="TRIMTAB", jobType=kind)
    return {
        "eventType": str(moment),
        "eventTime": at.isoformat(),
        "producer": producer(),
        "schemaURL": RUN_EVENT,
        "run": {"runId": run, "facets": facets},
        "job": {**job.to_dict(), "facets": of_job},
        "inputs": [one.to_dict(written=False) for one in inputs],
        "outputs": [one.to_dict(written=True) for one in outputs],
    }


@cache
def producer() -> str:
    return f"https://trimtab.dev/releases/{version('trimtab')}"
