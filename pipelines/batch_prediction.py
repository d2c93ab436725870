"""Batch prediction: what a registered model says of the examples of a period, as a table."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.predict.component import predict
from components.report.component import report
from pipelines.data import taken_in
from pipelines.placing import Placing


def batch_prediction(place: Placing) -> Callable[..., Any]:
    """The pipeline for one environment."""

    @dsl.pipeline(
        name="trimtab-batch-prediction", description="A registered model over the examples of a period."
    )
    def pipeline(project: str, since: str = "", until: str = "", model: str = "") -> None:
        """A registered model over the examples of a period.

        Args:
            project: Address of the project's bundle, which ends in its digest: trimtab pipeline bundle.
            since: RFC 3339; the first example to predict. Empty: the first of all.
            until: RFC 3339; no row at or after it is read. Empty: when the run starts.
            model: Registry version. Empty: the stable one, else the candidate.
        """
        with dsl.ExitHandler(place.last(report(project=project, until=until))):
            data = taken_in(place, project, until)
            place.reading(
                predict(project=project, since=since, until=data.until, model=model, rows=data.rows),
                cached=False,
                outside=True,
            )

    return pipeline
