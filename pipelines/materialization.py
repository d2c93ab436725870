"""Materialization: the online store brought up to what the sources hold, with no model trained."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.featurize.component import featurize
from components.materialize.component import materialize
from components.report.component import report
from pipelines.data import taken_in
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
            data = taken_in(place, project, until)
            seen = place.long(
                featurize(project=project, until=data.until, rows_version=data.version, rows=data.rows)
            )
            place.reading(
                materialize(
                    project=project, until=data.until, rows=data.rows, features=seen.outputs["features"]
                ),
                cached=False,
                outside=True,
            )

    return pipeline
