"""V1's explain: a prediction, and each feature's share of it.

KServe's V1 names the verb; the Open Inference Protocol (V2) has none. An explanation asks the model for
permutations × (features + 1) rows, which is what it costs: the answer says how many and how long it took.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import orjson

from trimtab.api.errors import TrimtabError
from trimtab.features.columns import Array, take
from trimtab.quality.shapley import explain
from trimtab.serving.folder import ModelFolder
from trimtab.serving.predictor import Prediction
from trimtab.serving.service import Answer, Service, failure, status_of
from trimtab.serving.values import RequestRefused
from trimtab.serving.wire import parse_explain

log = logging.getLogger("trimtab.serving")

PERMUTATIONS: Final = 32
MOST_PERMUTATIONS: Final = 1_024
MOST_MODEL_ROWS: Final = 50_000
SEED: Final = 7


class Explainer:
    """Explains what a service predicts.

    Args:
        service: counts the rows explained.
        folder: its background rows are where every walk starts.
    """

    def __init__(self, service: Service, folder: ModelFolder) -> None:
        self._service = service
        self._background = folder.background()
        self._plan = folder.plan

    def prepare(self, body: bytes) -> Callable[[], Answer] | Answer:
        """What will answer, once its inputs are looked up and it is known to be affordable; or a refusal.

        Only the returned call is long; any thread may make it.
        """
        started = time.perf_counter()
        try:
            asked, permutations = parse_explain(body)
            self._check(asked.rows, permutations)
            prediction = self._service.predictor.predict(asked)
        except TrimtabError as error:
            return failure(status_of(error), error)

        def answer() -> Answer:
            try:
                told = self._told(prediction, permutations or PERMUTATIONS, started)
                return Answer(200, orjson.dumps(told))
            except TrimtabError as error:
                return failure(status_of(error), error)
            except Exception as error:
                log.exception("an explanation")
                return failure(500, TrimtabError(f"{type(error).__name__}: {error}"))

        return answer

    def _check(self, rows: int, permutations: int | None) -> None:
        walks = PERMUTATIONS if permutations is None else permutations
        if not self._background:
            raise RequestRefused("this model was exported without the rows that explanations start from; "
                                 "export it again")  # fmt: skip
        if not (2 <= walks <= MOST_PERMUTATIONS) or walks % 2:
            raise RequestRefused(
                f"'permutations' is {walks}; give an even number from 2 to {MOST_PERMUTATIONS}"
            )
        each = walks * (len(self._plan.outputs) + 1)
        if rows * each > MOST_MODEL_ROWS:
            most = MOST_MODEL_ROWS // each
            raise RequestRefused(
                f"{rows} rows with {walks} permutations ask the model for {rows * each} rows, and {MOST_MODEL_ROWS} "
                f"are the most; send {f'{most} rows' if most else 'fewer permutations'} at a time"
            )

    def _told(self, prediction: Prediction, permutations: int, started: float) -> Mapping[str, Any]:
        predictor, features, rows = self._service.predictor, prediction.features, prediction.rows.rows
        explained = []
        for i in range(rows):
            row = take(features, slice(i, i + 1))
            place = self._explained_column(row)

            def ask(walked: Mapping[str, Array], place: int = place) -> Array:
                return np.asarray(predictor.probabilities(walked)[:, place])

            found = explain(ask, row, self._background, permutations, SEED)
            of = {} if self._plan.task == "regression" else {"class": self._plan.classes[place]}
            explained.append(
                {
                    **of,
                    "answer": found.answer,
                    "baseline": found.baseline,
                    "attributions": found.attributions,
                    "standard_errors": found.standard_errors,
                }
            )
        self._service.explanations += rows
        return {
            "predictions": predictor.predictions(prediction),
            "explanations": explained,
            "cost": {
                "model_rows": rows * permutations * (len(features) + 1),
                "permutations": permutations,
                "background_rows": min(permutations // 2, len(next(iter(self._background.values())))),
                "milliseconds": round((time.perf_counter() - started) * 1e3, 3),
            },
        }

    def _explained_column(self, row: Mapping[str, Array]) -> int:
        """The answer that is explained: the positive class, the value, or the likeliest of several classes."""
        if self._plan.task != "multiclass":
            return -1 if self._plan.task == "binary" else 0
        return int(self._service.predictor.probabilities(row)[0].argmax())
