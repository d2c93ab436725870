"""An exported model's answers, by ONNX Runtime, as the server gets them."""

from pathlib import Path
from typing import Any

import numpy as np

from trimtab.features.columns import Array, Columns
from trimtab.features.plan import ServingPlan
from trimtab.features.schema import Field

BATCH = 50_000


class OnnxModel:
    """A model.onnx with its plan.

    Args:
        model: the file, or its bytes.
        threads: of one call.
    """

    def __init__(self, model: Path | bytes, plan: ServingPlan, threads: int = 1) -> None:
        self._session = session(model, threads)
        self._plan = plan

    def answers(self, features: Columns) -> Array:
        """Probabilities, shape (rows, classes), or values, shape (rows, 1)."""
        rows = len(next(iter(features.values())))
        parts = [self._run(features, slice(start, start + BATCH)) for start in range(0, rows, BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, max(1, len(self._plan.classes))))

    def _run(self, features: Columns, rows: slice) -> Array:
        fed = inputs(self._plan.outputs, {name: values[rows] for name, values in features.items()})
        return np.asarray(self._session.run(None, fed)[0], np.float64)


def served_model(folder: Path) -> OnnxModel:
    """The model of a model folder."""
    return OnnxModel(folder / "model.onnx", ServingPlan.from_json((folder / "plan.json").read_bytes()))


def session(model: Path | bytes, threads: int = 1) -> Any:
    """ONNX Runtime's, on the CPU; one thread gives the same bits on any number of cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source: Any = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def inputs(fields: tuple[Field, ...], rows: Columns) -> dict[str, Any]:
    """Features as an exported model takes them: strings, or float32, shape (rows, 1) each."""
    return {
        field.name: rows[field.name].astype(object if field.type == "string" else np.float32)[:, None]
        for field in fields
    }
