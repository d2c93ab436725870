"""Prediction requests in KServe's V1 and V2 JSON: from bytes to named lists of values.

V2 is the Open Inference Protocol (inputs with name, shape, datatype, data); V1 is TensorFlow Serving's
`instances`, here objects of named fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from trimtab.serving.values import RequestRefused


class Field(NamedTuple):
    """Values of one input; `datatype` is V2's, None in V1."""

    values: Sequence[Any]
    datatype: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's content, not yet compared with what the model takes.

    Attributes:
        fields: by name, each with `rows` values.
        rows: at least 1.
        finished: the fields are finished features.
        id: the id in a V2 body.
        outputs: names of the outputs asked for; None for all.
        raw: the values came as bytes, and so do those of the answer.
    """

    fields: Mapping[str, Field]
    rows: int
    finished: bool = False
    id: str | None = None
    outputs: tuple[str, ...] | None = None
    raw: bool = False


def parse_v2(body: bytes) -> Asked:
    """A V2 inference request.

    Raises:
        RequestRefused: no JSON, a part missing or of another type, shapes that do not fit.
    """
    request = _object(body)
    inputs = request.get("inputs")
    if type(inputs) is not list or not inputs:
        raise RequestRefused("'inputs' must be a list with at least one input")
    fields, rows = together(_plain(tensor) or _tensor(number, tensor) for number, tensor in enumerate(inputs))
    identity = request.get("id")
    if identity is not None and (type(identity) is not str or not identity):
        raise RequestRefused("'id' must be a string")
    parameters = request.get("parameters") or {}
    if type(parameters) is not dict:
        raise RequestRefused("'parameters' must be an object")
    return Asked(fields, rows, _flag(parameters), identity, _outputs(request.get("outputs")))


def together(inputs: Iterable[tuple[str, Field]]) -> tuple[dict[str, Field], int]:
    """At least one input by name, and the number of rows that all of them have.

    Raises:
        RequestRefused: a name comes twice, or one has another number of rows.
    """
    fields: dict[str, Field] = {}
    rows = -1
    for name, field in inputs:
        if name in fields:
            raise RequestRefused(f"input '{name}' comes twice")
        if rows < 0:
            rows = len(field.values)
        elif len(field.values) != rows:
            raise RequestRefused(
                f"input '{name}' has {len(field.values)} rows, input '{next(iter(fields))}' has {rows}"
            )
        fields[name] = field
    return fields, rows


def _plain(tensor: Any) -> tuple[str, Field] | None:
    """Name and values of a tensor as nearly all are; None where `_tensor` must look closer."""
    try:
        name, datatype, data = tensor["name"], tensor["datatype"], tensor["data"]
        if type(name) is str and name and type(datatype) is str and type(data[0]) is not list:
            rows = len(data)
            if type(data) is list and tensor["shape"] in ([rows, 1], [rows]):
                return name, Field(data, datatype)
    except (KeyError, IndexError, TypeError):
        pass
    return None


def _tensor(position: int, tensor: Any) -> tuple[str, Field]:
    if type(tensor) is not dict:
        raise RequestRefused(f"inputs[{position}] must be an object")
    name = tensor.get("name")
    if type(name) is not str or not name:
        raise RequestRefused(f"inputs[{position}] has no name")
    shape, datatype, data = tensor.get("shape"), tensor.get("datatype"), tensor.get("data")
    if type(datatype) is not str:
        raise RequestRefused(f"input '{name}' has no datatype")
    if type(data) is not list:
        raise RequestRefused(f"input '{name}': 'data' must be a list")
    if type(shape) is not list or any(type(size) is not int or size < 0 for size in shape):
        raise RequestRefused(f"input '{name}': 'shape' must be a list of whole numbers ≥ 0")
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise RequestRefused(f"input '{name}' has shape {shape}, neither [rows] nor [rows, 1]")
    if len(shape) == 2 and data and type(data[0]) is list:
        if any(type(row) is not list or len(row) != 1 for row in data):
            raise RequestRefused(f"input '{name}': each row of 'data' must hold 1 value, as its shape says")
        data = [row[0] for row in data]
    if len(data) != shape[0]:
        raise RequestRefused(f"input '{name}' has shape {shape}, but 'data' holds {len(data)} values")
    if not data:
        raise RequestRefused(f"input '{name}' has no rows")
    return name, Field(data, datatype)


def _outputs(asked: Any) -> tuple[str, ...] | None:
    if asked is None or asked == []:
        return None
    if type(asked) is not list or any(type(o) is not dict or type(o.get("name")) is not str for o in asked):
        raise RequestRefused("'outputs' must be a list of objects with a name")
    return tuple(output["name"] for output in asked)


def parse_v1(body: bytes) -> Asked:
    """A V1 prediction request.

    Raises:
        RequestRefused: no JSON, `instances` is no list of objects, or rows have different fields.
    """
    return from_v1(_object(body))


def parse_explain(body: bytes) -> tuple[Asked, int | None]:
    """A V1 explanation request: a prediction's, and how many permutations to take.

    Raises:
        RequestRefused: as `parse_v1`, or `permutations` is no whole number.
    """
    request = _object(body)
    permutations = request.get("permutations")
    if permutations is not None and type(permutations) is not int:
        raise RequestRefused("'permutations' must be a whole number")
    return from_v1(request), permutations


def from_v1(request: Mapping[str, Any]) -> Asked:
    """As `parse_v1`, of JSON that is parsed already."""
    instances = request.get("instances")
    if type(instances) is not list or not instances:
        raise RequestRefused("'instances' must be a list with at least one row")
    first = instances[0]
    for row, instance in enumerate(instances):
        if type(instance) is not dict:
            raise RequestRefused(f"instances[{row}] must be an object of named fields")
        if instance.keys() != first.keys():
            name = min(instance.keys() ^ first.keys())
            raise RequestRefused(
                f"input '{name}' is in some rows only (see row {row}); send null for missing"
            )
    return Asked(
        {name: Field([instance[name] for instance in instances]) for name in first},
        len(instances),
        _flag(request),
    )


def _flag(parameters: Mapping[str, Any]) -> bool:
    finished = parameters.get("features", False)
    if type(finished) is not bool:
        raise RequestRefused("'features' must be true or false")
    return finished


def _object(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestRefused(f"the body is no JSON: {error}") from None
    if type(request) is not dict:
        raise RequestRefused("the body must be a JSON object")
    return request
