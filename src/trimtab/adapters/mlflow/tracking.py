"""Runs in MLflow: a record is one batch or a few, so that a step costs one write and not fifty."""

import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final, TypeVar

from trimtab.adapters.mlflow.client import client, failures
from trimtab.ports.tracking import RunRecord

MAX_TEXT: Final = 500
BATCH: Final = 100
METRICS: Final = 800
"""In one call, which MLflow takes with up to 100 parameters, 100 tags, and 1,000 of all."""
T = TypeVar("T")


class MlflowTracking:
    """`trimtab.ports.tracking.Tracking`.

    Args:
        uri: MLflow's tracking address; `client.local_uri` for a file.
        artefacts: folder of a local store's artefacts; None leaves them to the server.
    """

    def __init__(self, uri: str, artefacts: Path | None = None) -> None:
        self._uri = uri
        self._artefacts = artefacts

    def start(self, experiment: str, name: str, record: RunRecord) -> str:
        mlflow = client(self._uri)
        with failures(self._uri):
            run = mlflow.create_run(self._experiment(experiment), run_name=name)
        run_id = str(run.info.run_id)
        self.add(run_id, record)
        return run_id

    def resume(self, run_id: str) -> bool:
        mlflow = client(self._uri)
        with failures(self._uri):
            from mlflow.entities import LifecycleStage
            from mlflow.exceptions import MlflowException

            try:
                stage = mlflow.get_run(run_id).info.lifecycle_stage
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return False
                raise
            if stage != LifecycleStage.ACTIVE:
                return False
            mlflow.update_run(run_id, "RUNNING")
        return True

    def add(self, run_id: str, record: RunRecord) -> None:
        mlflow = client(self._uri)
        with failures(self._uri):
            from mlflow.entities import Metric, Param, RunTag

            now = int(time.time() * 1000)
            metrics = [Metric(name, value, now, 0) for name, value in record.metrics.items()]
            for name, values in record.history.items():
                steps = enumerate(values, record.first_step)
                metrics += [Metric(name, float(value), now, step) for step, value in steps]
            params = [Param(name, value[:MAX_TEXT]) for name, value in record.params.items()]
            tags = [RunTag(name, value[:MAX_TEXT]) for name, value in record.tags.items()]
            calls = zip_longest(_cut(metrics, METRICS), _cut(params, BATCH), _cut(tags, BATCH), fillvalue=())
            for some_metrics, some_params, some_tags in calls:
                mlflow.log_batch(run_id, some_metrics, some_params, some_tags)
            for path in record.artefacts:
                mlflow.log_artifact(run_id, str(path))

    def finish(self, run_id: str, *, failed: bool = False) -> None:
        mlflow = client(self._uri)
        with failures(self._uri):
            mlflow.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def _experiment(self, name: str) -> str:
        mlflow = client(self._uri)
        found = mlflow.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = None if self._artefacts is None else (self._artefacts / name).resolve().as_uri()
        return str(mlflow.create_experiment(name, artifact_location=folder))


def _cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
