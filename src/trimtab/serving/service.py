"""One served model: answers prediction requests, and tells the payload log of each."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson

from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.serving.events import Events
from trimtab.serving.payload_log import PayloadLog
from trimtab.serving.predictor import Prediction, Predictor, Tensor
from trimtab.serving.values import ModelUnknown, RequestRefused
from trimtab.serving.wire import Asked, parse_v1, parse_v2

log = logging.getLogger("trimtab.serving")

Sent = TypeVar("Sent")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status in HTTP's terms, and its body as the protocol writes it."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Protocol(Generic[Sent]):
    """How one protocol reads requests and writes answers.

    Attributes:
        parse: raises ModelUnknown, or RequestRefused as `wire` does.
        render: a prediction's body; the text is the request's id.
        failed: an error's body.
    """

    parse: Callable[[Sent], Asked]
    render: Callable[[Asked, Prediction, str], bytes]
    failed: Callable[[TrimtabError], bytes]


class Service:
    """A predictor with its log and counts.

    Attributes:
        statuses: requests by HTTP status, warm-ups left out.
        warmups: warm-up requests.
        seconds: time spent in answering, in total, warm-ups left out.
        predictions: rows predicted, warm-ups left out.
        explanations: rows explained; they are no predictions, and are not logged.
    """

    def __init__(
        self,
        model_name: str,
        revision: str,
        predictor: Predictor,
        events: Events,
        payloads: PayloadLog | None,
    ) -> None:
        self.model_name = model_name
        self.revision = revision
        self.predictor = predictor
        self.payloads = payloads
        self._events = events
        self.statuses: Counter[int] = Counter()
        self.warmups = 0
        self.seconds = 0.0
        self.predictions = 0
        self.explanations = 0
        self._v2 = Protocol(parse_v2, self._v2_body, failed)
        self._v1 = Protocol(parse_v1, self._v1_body, failed)

    def v2(self, body: bytes, request_id: str, *, warmup: bool = False) -> Answer:
        """Answers POST /v2/models/<name>/infer."""
        return self.answer(self._v2, body, request_id, warmup=warmup)

    def v1(self, body: bytes, request_id: str, *, warmup: bool = False) -> Answer:
        """Answers POST /v1/models/<name>:predict."""
        return self.answer(self._v1, body, request_id, warmup=warmup)

    def predict(self, asked: Asked, request_id: str, *, warmup: bool = False) -> Prediction:
        """The prediction of a request that KServe's own code has decoded, counted and logged like any.

        Raises:
            TrimtabError: as `Predictor.predict`.
        """
        started = time.perf_counter()
        try:
            prediction = self.predictor.predict(asked)
        except TrimtabError as error:
            self._note(request_id, asked, None, status_of(error), started, warmup)
            raise
        self._note(request_id, asked, prediction, 200, started, warmup)
        return prediction

    def refused(self, request_id: str, error: RequestRefused, *, warmup: bool = False) -> Answer:
        """Answers a request whose body was not read."""
        self._note(request_id, None, None, 400, time.perf_counter(), warmup)
        return failure(400, error)

    def answer(
        self, protocol: Protocol[Sent], sent: Sent, request_id: str, *, warmup: bool = False
    ) -> Answer:
        """Answers a prediction request of a protocol. Never raises."""
        started = time.perf_counter()
        asked: Asked | None = None
        prediction: Prediction | None = None
        try:
            asked = protocol.parse(sent)
            prediction = self.predictor.predict(asked)
            answer = Answer(200, protocol.render(asked, prediction, request_id))
        except ModelUnknown as error:
            return Answer(404, protocol.failed(error))
        except RequestRefused as error:
            prediction, answer = None, Answer(400, protocol.failed(error))
        except TrimtabError as error:
            log.error("request %s: %s", request_id, error.message)
            prediction, answer = None, Answer(status_of(error), protocol.failed(error))
        except Exception as error:
            log.exception("request %s", request_id)
            unforeseen = TrimtabError(f"{type(error).__name__}: {error}")
            prediction, answer = None, Answer(500, protocol.failed(unforeseen))
        self._note(request_id, asked, prediction, answer.status, started, warmup)
        return answer

    def expired(self, request_id: str, *, warmup: bool = False) -> None:
        """Tells of a request that was not answered, since whoever sent it waits no longer."""
        self._note(request_id, None, None, 504, time.perf_counter(), warmup)

    def wanted(self, asked: Asked) -> Sequence[Tensor]:
        """The outputs that a V2 request asks for.

        Raises:
            RequestRefused: the model has no such output.
        """
        if asked.outputs is None:
            return self.predictor.outputs
        by_name = {output.name: output for output in self.predictor.outputs}
        for name in asked.outputs:
            if name not in by_name:
                raise RequestRefused(f"output '{name[:80]}' is unknown; the model has {', '.join(by_name)}")
        return [by_name[name] for name in asked.outputs]

    def _v2_body(self, asked: Asked, prediction: Prediction, request_id: str) -> bytes:
        tensors = [
            {
                "name": output.name,
                "shape": list(prediction.outputs[output.name].shape),
                "datatype": output.datatype,
                "data": prediction.outputs[output.name].ravel(),
            }
            for output in self.wanted(asked)
        ]
        body = {
            "model_name": self.model_name,
            "model_version": self.revision,
            "id": asked.id or request_id,
            "outputs": tensors,
        }
        return orjson.dumps(body, _listed, _NUMPY)

    def _v1_body(self, _asked: Asked, prediction: Prediction, _request_id: str) -> bytes:
        return orjson.dumps({"predictions": self.predictor.predictions(prediction)}, _listed, _NUMPY)

    def _note(
        self,
        request_id: str,
        asked: Asked | None,
        prediction: Prediction | None,
        status: int,
        started: float,
        warmup: bool,
    ) -> None:
        if warmup:
            self.warmups += 1
            return
        spent_s = time.perf_counter() - started
        self.statuses[status] += 1
        self.seconds += spent_s
        if prediction is not None:
            self.predictions += prediction.rows.rows
        if self.payloads is None:
            return
        if prediction is None or asked is None:
            event = self._events.failed(request_id, status, spent_s * 1e3)
        else:
            scores = self.predictor.scores(prediction)
            event = self._events.answered(
                request_id, asked.id or request_id, prediction, scores, spent_s * 1e3
            )
        self.payloads.offer(event)


_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY


def _listed(value: Any) -> Any:
    """For arrays that orjson does not take: texts, and views that are not contiguous."""
    return value.tolist()


def status_of(error: TrimtabError) -> int:
    """The HTTP status that an error is answered by."""
    if isinstance(error, RequestRefused):
        return 400
    return 503 if isinstance(error, SurroundingsFailed) else 500


def failure(status: int, error: TrimtabError) -> Answer:
    """REST's answer that tells of an error."""
    return Answer(status, failed(error))


def failed(error: TrimtabError) -> bytes:
    """The body of REST's answer that tells of an error."""
    return orjson.dumps({"error": error.message})
