"""The model as KServe knows it: readiness, metadata, and predictions that come through KServe's own code."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kserve.errors import InferenceError, InvalidInput
from kserve.model import Model
from kserve.protocol.infer_type import InferOutput, InferRequest, InferResponse

from trimtab.api.errors import TrimtabError
from trimtab.features import ServingPlan
from trimtab.serving.service import Service
from trimtab.serving.values import SENT, RequestRefused
from trimtab.serving.wire import Asked, Field, from_v1


class OnnxModel(Model):  # type: ignore[misc]  # kserve has no type hints
    """A served revision. KServe decodes binary tensors and CloudEvents before it calls `predict`."""

    def __init__(self, service: Service, plan: ServingPlan) -> None:
        super().__init__(service.model_name)
        self._service = service
        self._plan = plan
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        """The request's fields, as V2 metadata."""
        return [
            {"name": field.name, "datatype": SENT[field.type], "shape": [-1, 1]}
            for field in self._plan.inputs
        ]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The model's outputs, as V2 metadata."""
        return [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, output.width]}
            for output in self._service.predictor.outputs
        ]

    async def predict(
        self,
        payload: InferRequest | Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse | Mapping[str, Any]:
        """V1 gives a mapping, V2 an InferResponse.

        Raises:
            InvalidInput: KServe answers 400. InferenceError: 500.
        """
        headers = headers or {}
        request_id = headers.get("x-request-id", "")
        warmup = headers.get("x-trimtab-warmup") == "1"
        try:
            asked = _asked(payload)
            prediction = self._service.predict(asked, request_id, warmup=warmup)
        except RequestRefused as error:
            raise InvalidInput(error.message) from error
        except TrimtabError as error:
            raise InferenceError(error.message) from error
        if not isinstance(payload, InferRequest):
            return {"predictions": self._service.predictor.predictions(prediction)}
        outputs = []
        for tensor in self._service.predictor.outputs:
            values = np.ascontiguousarray(prediction.outputs[tensor.name])
            output = InferOutput(tensor.name, list(values.shape), tensor.datatype)
            output.set_data_from_numpy(values, binary_data=payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            payload.id or request_id,
            self.name,
            outputs,
            model_version=self._service.revision,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


def _asked(payload: InferRequest | Mapping[str, Any]) -> Asked:
    if not isinstance(payload, InferRequest):
        if not isinstance(payload, Mapping):
            raise RequestRefused("the body must be a JSON object")
        return from_v1(payload)
    fields: dict[str, Field] = {}
    for tensor in payload.inputs:
        values = _values(tensor)
        if len(values) != len(next(iter(fields.values()), Field(values)).values):
            raise RequestRefused(f"input '{tensor.name}' has {len(values)} rows, others have another number")
        fields[tensor.name] = Field(values, tensor.datatype)
    if not fields:
        raise RequestRefused("'inputs' must be a list with at least one input")
    rows = len(next(iter(fields.values())).values)
    if not rows:
        raise RequestRefused("the inputs have no rows")
    finished = bool((payload.parameters or {}).get("features", False))
    return Asked(fields, rows, finished, payload.id)


def _values(tensor: Any) -> Sequence[Any]:
    shape = list(tensor.shape)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise RequestRefused(f"input '{tensor.name}' has shape {shape}, neither [rows] nor [rows, 1]")
    try:
        values = tensor.as_numpy().reshape(-1).tolist()
    except (ValueError, TypeError) as error:
        raise RequestRefused(f"input '{tensor.name}': {error}") from error
    try:
        return [value.decode() if isinstance(value, bytes) else value for value in values]
    except UnicodeDecodeError as error:
        raise RequestRefused(f"input '{tensor.name}': {error}") from error
