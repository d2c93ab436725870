"""Inference events: what was asked and answered, as CloudEvents 1.0 JSON with KServe's attributes."""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import orjson

from trimtab.features.columns import Array
from trimtab.serving.predictor import Prediction
from trimtab.serving.values import EPOCH

TYPE = "dev.trimtab.inference"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"


class Events:
    """Makes the events of one server process.

    Args:
        model_name: the served name.
        revision: its revision id.
        namespace: the Kubernetes namespace, "default" outside a cluster.
        now_us: when a request is answered, µs since the epoch: it counts for the traffic that it was part of,
            whatever time its rows are about.
    """

    def __init__(self, model_name: str, revision: str, namespace: str, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._sequence = count(1)
        self._attributes: dict[str, Any] = {
            "specversion": "1.0",
            "type": TYPE,
            "source": f"{revision}/{os.getpid()}",
            "datacontenttype": "application/json",
            "inferenceservicename": f"{model_name}-{revision}",
            "namespace": namespace,
            "component": "predictor",
            "endpoint": model_name,
            "revision": revision,
        }

    def answered(
        self, request_id: str, row_prefix: str, prediction: Prediction, scores: Array, duration_ms: float
    ) -> bytes:
        """The event of a request that got predictions.

        Args:
            request_id: X-Request-Id.
            row_prefix: names rows whose example key was not given, as "<prefix>/<row>".
            scores: one number a row.
        """
        rows = prediction.rows
        now_us = self._now_us()
        times = rows.times_us
        stamps = [now_us] * rows.rows if times is None else [now_us if t is None else t for t in times]
        data = {
            "ids": row_ids(rows.keys, row_prefix, rows.rows),
            "times": stamps,
            "features": {name: _values(values) for name, values in prediction.features.items()},
            "predictions": scores,
        }
        return self._event(request_id, 200, now_us, duration_ms, rows.rows, data)

    def failed(self, request_id: str, status: int, duration_ms: float) -> bytes:
        """The event of a request that got none."""
        return self._event(request_id, status, self._now_us(), duration_ms, 0, None)

    def _event(
        self,
        request_id: str,
        status: int,
        time_us: int,
        duration_ms: float,
        rows: int,
        data: Mapping[str, Any] | None,
    ) -> bytes:
        event = {
            **self._attributes,
            "id": request_id,
            "sequence": str(next(self._sequence)),
            "time": EPOCH + timedelta(microseconds=time_us),
            "status": status,
            "durationms": round(duration_ms, 4),
            "rows": rows,
            "data": data,
        }
        return orjson.dumps(event, _listed, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z)


def row_ids(keys: list[str | None] | None, prefix: str, rows: int) -> list[str]:
    """What names each row's prediction: its key, else "<prefix>/<row>".

    >>> row_ids(["UA-1", None], "r7", 2)
    ['UA-1', 'r7/1']
    """
    if keys is None:
        return [f"{prefix}/{row}" for row in range(rows)]
    return [key or f"{prefix}/{row}" for row, key in enumerate(keys)]


def _values(values: Array) -> Any:
    """JSON values of a feature, missing ones null (NaN becomes null by itself)."""
    return [value or None for value in values.tolist()] if values.dtype == object else values


def _listed(value: Any) -> Any:
    """For arrays that orjson does not take as they lie in memory."""
    return value.tolist()
