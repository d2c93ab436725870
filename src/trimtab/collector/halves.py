"""KServe's agent reports a request and its response as two events, in any order: they meet here.

The features of a row are taken from the request (V2 inputs by name; V1 instances that are objects), its
prediction from the response (V1 predictions; V2's output, the last column where it is a matrix). An example's
id is `<request id>/<row>`.
"""

from typing import Any

from trimtab.collector.event import AgentHalf, Cell, Rows, checked_rows

MOST_HALVES = 100_000


class Halves:
    """Requests and responses that wait for each other, oldest first; the oldest give way."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, bool], AgentHalf] = {}
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def meet(self, half: AgentHalf) -> tuple[AgentHalf | None, AgentHalf | None]:
        """The other side, which then waits no longer, and the half that had to give way, if any."""
        other = self._waiting.pop((half.revision, half.request_id, not half.is_response), None)
        if other is not None:
            return other, None
        oldest = None
        if len(self._waiting) >= MOST_HALVES:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self.given_up += 1
        self._waiting[half.revision, half.request_id, half.is_response] = half
        return None, oldest

    def unanswered_us(self, revision: str) -> list[int]:
        """Times of the requests of a revision whose response has not come."""
        return [
            half.time_us
            for half in self._waiting.values()
            if half.revision == revision and not half.is_response
        ]


def rows_of(request: AgentHalf, response: AgentHalf) -> Rows | None:
    """What both bodies say together; None where they are not V1 or V2 bodies of one length."""
    predictions = _predictions(response.body)
    if predictions is None:
        return None
    count = len(predictions)
    features = _features(request.body)
    rows = {
        "ids": [f"{request.request_id}/{row}" for row in range(count)],
        "times": [request.time_us] * count,
        "features": {name: column for name, column in features.items() if len(column) == count},
        "predictions": predictions,
    }
    return checked_rows(rows)


def _predictions(body: Any) -> list[Any] | None:
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("predictions"), list):
        return [_last(value) for value in body["predictions"]]
    outputs = body.get("outputs")
    if not (isinstance(outputs, list) and outputs):
        return None
    named = [
        output for output in outputs if isinstance(output, dict) and isinstance(output.get("data"), list)
    ]
    chosen = next((output for output in named if output.get("name") == "probabilities"), None)
    output = chosen or (named[0] if named else None)
    return _matrix_last(output) if output else None


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else value


def _matrix_last(output: dict[str, Any]) -> list[Any]:
    data, shape = output["data"], output.get("shape")
    if isinstance(shape, list) and len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 1:
        width = shape[1]
        return data[width - 1 :: width] if not _nested(data) else [_last(row) for row in data]
    return [_last(value) for value in data]


def _nested(data: list[Any]) -> bool:
    return bool(data) and isinstance(data[0], list)


def _features(body: Any) -> dict[str, list[Cell]]:
    if not isinstance(body, dict):
        return {}
    if isinstance(body.get("inputs"), list):
        return {
            str(part["name"]): part["data"]
            for part in body["inputs"]
            if isinstance(part, dict) and "name" in part and isinstance(part.get("data"), list)
        }
    instances = body.get("instances")
    if isinstance(instances, list) and instances and all(isinstance(row, dict) for row in instances):
        return {str(name): [row.get(name) for row in instances] for name in instances[0]}
    return {}
