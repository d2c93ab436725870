"""From rows to predictions: look-ups, the project's transform, and the ONNX model, on one thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime

from trimtab.api.errors import TrimtabError
from trimtab.features.columns import Array
from trimtab.features.schema import Task
from trimtab.serving.accepted import Accepted, Rows
from trimtab.serving.folder import FolderRefused, ModelFolder
from trimtab.serving.lookup import Lookup
from trimtab.serving.wire import Asked

_DTYPES: Final[Mapping[str, tuple[str, np.dtype[Any]]]] = {
    "tensor(float)": ("FP32", np.dtype(np.float32)),
    "tensor(double)": ("FP64", np.dtype(np.float64)),
    "tensor(int64)": ("INT64", np.dtype(np.int64)),
    "tensor(string)": ("BYTES", np.dtype(object)),
    "tensor(bool)": ("BOOL", np.dtype(np.bool_)),
}


class ModelFailed(TrimtabError):
    """The model or its transform failed on rows that it should take."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An output of the model: name, V2 datatype, and columns a row (1 for one value a row)."""

    name: str
    datatype: str
    width: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one request got.

    Attributes:
        rows: what was asked.
        features: what the model saw, in the plan's order, each shape (rows,).
        outputs: the model's outputs, each shape (rows,) or (rows, width).
    """

    rows: Rows
    features: Mapping[str, Array]
    outputs: Mapping[str, Array]


class Predictor:
    """One model folder, loaded.

    Raises:
        FolderRefused: model.onnx does not load, or its inputs are not the plan's features.
    """

    def __init__(self, folder: ModelFolder, lookup: Lookup) -> None:
        self._accepted = Accepted(folder.plan)
        self._lookup = lookup
        self._definition = folder.definition
        self._task: Task = folder.plan.task
        self._session = _session(folder)
        features = [field.name for field in folder.plan.outputs]
        self._feeds = _feeds(self._session, features, folder)
        self._features = features
        self.outputs = tuple(
            _tensor(output) for output in self._session.get_outputs() if output.type in _DTYPES
        )
        if not self.outputs:
            raise FolderRefused(f"{folder.model}: no output is a tensor", remedy="export the model again")
        self._names = [output.name for output in self.outputs]
        self._answer = _answer(self._names)

    def predict(self, asked: Asked) -> Prediction:
        """The model's outputs for a request.

        Raises:
            RequestRefused: the request does not fit the model.
            ModelFailed, FeaturesRefused: the model or transform failed.
            SurroundingsFailed: the online store cannot be reached.
        """
        return self.answer(self._accepted.rows(asked))

    def answer(self, rows: Rows) -> Prediction:
        """The model's outputs for rows that fit the plan. Raises as `predict`, but for RequestRefused."""
        if rows.finished:
            features: Mapping[str, Array] = {name: rows.columns[name] for name in self._features}
        else:
            features = self._definition.features(self._lookup.inputs(rows))
        return Prediction(rows, features, self._run(features))

    def probabilities(self, features: Mapping[str, Array]) -> Array:
        """What the model answers for finished features: a column a class, or one of values. Any thread may ask."""
        values = self._run(features)[self._answer]
        return np.asarray(values.reshape(len(values), -1), np.float64)

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        try:
            feed = {name: features[name].astype(dtype).reshape(shape) for name, dtype, shape in self._feeds}
        except KeyError as error:
            raise ModelFailed(
                f"transform gave no feature {error}, which the model takes", remedy="export the model again"
            ) from None
        try:
            values = self._session.run(self._names, feed)
        except Exception as error:  # ONNX Runtime's exceptions share no other base
            raise ModelFailed(f"the model failed: {error}", remedy="see the server's log") from error
        return dict(zip(self._names, values, strict=True))

    def scores(self, prediction: Prediction) -> Array:
        """One number a row, shape (rows,): the positive class's probability, or the value.

        With more than two classes it is the index of the likeliest one.
        """
        values = prediction.outputs[self._answer]
        if values.ndim == 1:
            return values
        if self._task == "binary":
            return values[:, -1]
        return values[:, 0] if self._task == "regression" else values.argmax(axis=1)

    def predictions(self, prediction: Prediction) -> list[Any]:
        """What V1 answers a row: as `scores`, but with more than two classes the probabilities of all."""
        if self._task == "multiclass":
            answer: list[Any] = prediction.outputs[self._answer].tolist()
            return answer
        return list(self.scores(prediction).tolist())


def _session(folder: ModelFolder) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(folder.model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no other base
        raise FolderRefused(
            f"{folder.model}: ONNX Runtime cannot load it: {error}", remedy="export the model again"
        ) from error


def _feeds(
    session: Any, features: list[str], folder: ModelFolder
) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape in which each input is fed."""
    feeds: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    for tensor in session.get_inputs():
        if tensor.name not in features:
            raise FolderRefused(
                f"{folder.model} takes the input '{tensor.name}', which plan.json does not list as a feature",
                remedy="export the model again",
            )
        if tensor.type not in _DTYPES:
            raise FolderRefused(
                f"{folder.model}: input '{tensor.name}' is a {tensor.type}", remedy="export the model again"
            )
        feeds.append((tensor.name, _DTYPES[tensor.type][1], (-1, 1) if len(tensor.shape) == 2 else (-1,)))
    return feeds


def _tensor(output: Any) -> Tensor:
    width = output.shape[1] if len(output.shape) == 2 else 1
    return Tensor(output.name, _DTYPES[output.type][0], width if isinstance(width, int) else -1)


def _answer(names: list[str]) -> str:
    """The output that holds the answer: the one that export names, else the last."""
    return next((name for name in ("probabilities", "prediction") if name in names), names[-1])
