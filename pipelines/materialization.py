"""Materialization: the online store brought up to what the sources hold, with no model trained."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.build.component import build
from components.featurize.component import featurize
from components.ingest.component import ingest
from components.materialize.component import materialize
from components.report.component import report
from components.validate.component import validate
from pipelines.placing import Placing


def materialization(place: Placing) -> Callable[..., Any]:
    """The pipeline for one environment."""

    @dsl.pipeline(
        name="trimtab-materialization", description="The newest row of every key into the online store."
    )
    def pipeline(project: str, until: str = "") -> None:
        """The newest row of every key into the online store.

        Args:
            project: Address of the project's bundle, which ends in its digest: trimtab pipeline bundle.
            until: RFC 3339; no row after it is read. Empty: when the run starts.
        """
        with dsl.ExitHandler(place.last(report(project=project, until=until))):
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
            rows = valid.outputs["good"]
            seen = place.long(
                featurize(project=project, until=end, rows_version=valid.outputs["version"], rows=rows)
            )
            place.reading(
                materialize(project=project, until=end, rows=rows, features=seen.outputs["features"]),
                cached=False,
                outside=True,
            )

    return pipeline
