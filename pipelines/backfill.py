"""Backfill: what a model would have said of the past, period by period, as if it had served then."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.periods.component import periods
from components.predict.component import predict
from components.report.component import report
from pipelines.data import taken_in
from pipelines.placing import Placing


def backfill(place: Placing) -> Callable[..., Any]:
    """The pipeline for one environment."""

    @dsl.pipeline(name="trimtab-backfill", description="A registered model over the past, period by period.")
    def pipeline(project: str, since: str, until: str = "", every: str = "30d", model: str = "") -> None:
        """A registered model over the past, period by period.

        Args:
            project: Address of the project's bundle, which ends in its digest: trimtab pipeline bundle.
            since: RFC 3339; the first example to predict.
            until: RFC 3339; no row at or after it is read. Empty: when the run starts.
            every: Length of a period, such as 7d: one task each. One that failed is filled by a run over it alone.
            model: Registry version. Empty: the stable one, else the candidate.
        """
        with dsl.ExitHandler(place.last(report(project=project, until=until))):
            data = taken_in(place, project, until)
            cut = place.asking(
                periods(project=project, since=since, until=data.until, every=every, model=model)
            )
            # one at a time: each commits to the same table
            with dsl.ParallelFor(cut.output, name="periods", parallelism=1) as period:
                place.reading(
                    predict(
                        project=project,
                        since=period.since,
                        until=period.until,
                        model=period.model,
                        rows=data.rows,
                    ),
                    cached=False,
                    outside=True,
                )

    return pipeline
