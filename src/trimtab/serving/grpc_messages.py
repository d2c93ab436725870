"""Prediction requests in V2's gRPC messages: from `ModelInferRequest` to named lists of values, and back.

What a request says, and what is refused, is as in `wire`: only how it is written differs. A tensor's values stand in
the field of `contents` that its datatype has, or, for all tensors of a request at once, as raw little-endian bytes in
`raw_input_contents`; then the answer's are raw too. Protocol buffers know no null: NaN and "" are missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from trimtab.api.errors import TrimtabError
from trimtab.serving.predictor import Prediction
from trimtab.serving.service import Protocol, Service
from trimtab.serving.values import ModelUnknown, RequestRefused
from trimtab.serving.wire import Asked, Field, together

CONTENTS: Final[Mapping[str, str]] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_RAW: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""NumPy's names of raw values."""
_LENGTH_BYTES: Final = 4


class Messages:
    """The protocol of one service's `ModelInfer`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.protocol: Protocol[bytes] = Protocol(self._parse, self._render, _failed)

    def know(self, name: str, version: str) -> None:
        """Raises ModelUnknown unless the model is the served one; no version means any."""
        if name != self._service.model_name:
            raise ModelUnknown(f"Model with name {name[:80]} does not exist.")
        if version not in ("", self._service.revision):
            raise ModelUnknown(
                f"Model {name} answers here as version {self._service.revision}, not {version[:80]}."
            )

    def _parse(self, body: bytes) -> Asked:
        try:
            request = pb.ModelInferRequest.FromString(body)
        except DecodeError as error:
            raise RequestRefused(f"the message is no ModelInferRequest: {error}") from None
        self.know(request.model_name, request.model_version)
        raw = request.raw_input_contents
        if not request.inputs:
            raise RequestRefused("'inputs' must be a list with at least one input")
        if raw and len(raw) != len(request.inputs):
            raise RequestRefused(f"{len(request.inputs)} inputs, but {len(raw)} 'raw_input_contents'")
        fields, rows = together(
            _tensor(position, tensor, raw[position] if raw else None)
            for position, tensor in enumerate(request.inputs)
        )
        outputs = tuple(output.name for output in request.outputs) or None
        return Asked(fields, rows, _finished(request.parameters), request.id or None, outputs, raw=bool(raw))

    def _render(self, asked: Asked, prediction: Prediction, request_id: str) -> bytes:
        answer = pb.ModelInferResponse(
            model_name=self._service.model_name,
            model_version=self._service.revision,
            id=asked.id or request_id,
        )
        for output in self._service.wanted(asked):
            values = prediction.outputs[output.name]
            tensor = answer.outputs.add(name=output.name, datatype=output.datatype, shape=values.shape)
            if asked.raw:
                answer.raw_output_contents.append(_packed(values))
            else:
                flat = values.ravel().tolist()
                texts = output.datatype == "BYTES"
                getattr(tensor.contents, CONTENTS[output.datatype]).extend(
                    map(_bytes, flat) if texts else flat
                )
        return bytes(answer.SerializeToString())


def _failed(error: TrimtabError) -> bytes:
    return error.message.encode()


def _tensor(position: int, tensor: Any, raw: bytes | None) -> tuple[str, Field]:
    name: str = tensor.name
    if not name:
        raise RequestRefused(f"inputs[{position}] has no name")
    datatype: str = tensor.datatype
    if not datatype:
        raise RequestRefused(f"input '{name}' has no datatype")
    shape = list(tensor.shape)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or shape[0] < 0:
        raise RequestRefused(f"input '{name}' has shape {shape}, neither [rows] nor [rows, 1]")
    if raw is None:
        where = CONTENTS.get(datatype)
        if where is None:
            raise RequestRefused(
                f"input '{name}' has datatype {datatype[:20]}, which has no field in 'contents'"
            )
        values: Sequence[Any] = list(getattr(tensor.contents, where))
    elif tensor.HasField("contents"):
        raise RequestRefused(f"input '{name}' has 'contents' beside 'raw_input_contents'")
    else:
        where, values = "raw_input_contents", _unpacked(name, datatype, raw)
    if len(values) != shape[0]:
        raise RequestRefused(f"input '{name}' has shape {shape}, but '{where}' holds {len(values)} values")
    if not values:
        raise RequestRefused(f"input '{name}' has no rows")
    return name, Field(_texts(name, values) if datatype == "BYTES" else values, datatype)


def _texts(name: str, values: Sequence[bytes]) -> list[str]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError as error:
        raise RequestRefused(f"input '{name}': {error.object[:20]!r} is no text in UTF-8") from None


def _unpacked(name: str, datatype: str, raw: bytes) -> Sequence[Any]:
    if datatype == "BYTES":
        return _pieces(name, raw)
    if datatype not in _RAW:
        raise RequestRefused(f"input '{name}' has datatype {datatype[:20]}, which is unknown")
    dtype = np.dtype(_RAW[datatype])
    if len(raw) % dtype.itemsize:
        raise RequestRefused(f"input '{name}': {len(raw)} raw bytes are no whole number of {datatype} values")
    values: list[Any] = np.frombuffer(raw, dtype).tolist()
    return values


def _pieces(name: str, raw: bytes) -> list[bytes]:
    """Raw BYTES: each value after its length in four bytes."""
    pieces: list[bytes] = []
    at = 0
    while at < len(raw):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(raw[at:start], "little")
        if at > len(raw) or start > len(raw):
            raise RequestRefused(f"input '{name}': the raw bytes end within a value")
        pieces.append(raw[start:at])
    return pieces


def _packed(values: np.ndarray[Any, Any]) -> bytes:
    if values.dtype == object:
        pieces = [_bytes(value) for value in values.ravel()]
        return b"".join(len(piece).to_bytes(_LENGTH_BYTES, "little") + piece for piece in pieces)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _finished(parameters: Any) -> bool:
    if "features" not in parameters:
        return False
    said = parameters["features"]
    if said.WhichOneof("parameter_choice") != "bool_param":
        raise RequestRefused("'features' must be true or false")
    return bool(said.bool_param)
