"""adopt: a fitted ONNX model from elsewhere, with a table of what it saw, as a model folder that can be served."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.project import Project
from trimtab.drift import LabelRule as ProfileLabelRule
from trimtab.drift import learn_profile
from trimtab.features.columns import Array
from trimtab.features.plan import LabelRule, ServingPlan
from trimtab.features.schema import Field, Task
from trimtab.steps.arrow_columns import column
from trimtab.steps.background import background, to_json
from trimtab.steps.model_folder import ModelFolder, write_model_folder

if TYPE_CHECKING:
    import pyarrow as pa

DTYPES: Final[Mapping[str, Any]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}
SAMPLES: Final = 64
SUM_TOLERANCE: Final = 1e-3


class AdoptionRefused(InputRefused):
    """A model from elsewhere that cannot be served as it is."""


def adopt(
    onnx: bytes,
    reference: "pa.Table",
    project: Project,
    classes: Sequence[str],
    models: Path,
    lineage: Mapping[str, str],
) -> ModelFolder:
    """The model folder of an ONNX file, once it has answered the reference rows.

    Its inputs are columns of the reference, by name, each of shape [batch, 1] or [batch]; the last output (or
    `probabilities`, or `prediction`) is the answer.

    Args:
        reference: rows that the model learned from, or has seen: what drift is measured against.
        project: gives name, key, time, label rule and time zone.
        classes: names of the classes, in the order of the probabilities' columns; empty for "0", "1", ….

    Raises:
        AdoptionRefused: inputs that the reference lacks, an answer that is no number or no probability.
    """
    session = _session(onnx)
    fields = tuple(_field(tensor, reference) for tensor in session.get_inputs())
    inputs = {field.name: column(reference.column(field.name), field.type) for field in fields}
    answers = _answers(session, inputs)
    task, names = _task(answers, classes)
    examples = project.examples
    time = examples.time if examples.time in reference.column_names else None
    request = (*fields, *([Field(time, "timestamp")] if time and time not in inputs else []))
    label = examples.label
    seconds = label.mature_after.total_seconds()
    plan = ServingPlan(
        project.name, request, tuple(examples.key), time, (), "", fields, task, names,
        LabelRule(label.column, label.known_at, seconds, str(label.missing)), project.time_zone,
    )  # fmt: skip
    times = column(reference.column(time), "timestamp") if time else None
    profile = learn_profile(
        inputs,
        times,
        label=ProfileLabelRule(label.column, label.known_at, int(seconds), label.missing),
        key=plan.key,
        time=time,
        time_zone=project.time_zone,
        classes=names,
    )
    files = {
        "model.onnx": onnx,
        "plan.json": plan.to_json().encode(),
        "profile.json": profile.to_bytes(),
        "background.json": to_json(background(inputs, answers)),
        "samples.json": _samples(
            request, {**inputs, **({time: times} if time and times is not None else {})}
        ),
    }
    metadata = {
        "project": project.name,
        "trimtab.rows": str(reference.num_rows),
        "trimtab.model": "onnx",
        **lineage,
    }
    return write_model_folder(models, files, metadata)


def _session(onnx: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  ONNX Runtime's exceptions share no other base
        raise AdoptionRefused(
            f"ONNX Runtime cannot load the model: {str(error).splitlines()[0]}",
            remedy="export it again as ONNX",
        ) from None


def _field(tensor: Any, reference: "pa.Table") -> Field:
    if len(tensor.shape) == 2 and isinstance(tensor.shape[1], int) and tensor.shape[1] != 1:
        raise AdoptionRefused(
            f"the model's input '{tensor.name}' is a matrix of {tensor.shape[1]} columns, whose names it does not say",
            remedy="export it with one named input a column (skl2onnx: initial_types=[(name, "
            "FloatTensorType([None, 1])), …])",
        )
    if tensor.name not in reference.column_names:
        raise AdoptionRefused(
            f"the model takes '{tensor.name}', which the reference table lacks",
            remedy=f"give a table with it; this one has {', '.join(reference.column_names[:30])}",
        )
    if tensor.type in DTYPES:
        return Field(tensor.name, "string" if tensor.type == "tensor(string)" else "number")
    raise AdoptionRefused(
        f"the model's input '{tensor.name}' is a {tensor.type}", remedy="take numbers and texts"
    )


def _answers(session: Any, inputs: Mapping[str, Array]) -> Array:
    """What the model answers, shape (rows, columns)."""
    feed: dict[str, Array] = {}
    for tensor in session.get_inputs():
        shape = (-1, 1) if len(tensor.shape) == 2 else (-1,)
        feed[tensor.name] = inputs[tensor.name].astype(DTYPES[tensor.type]).reshape(shape)
    outputs = [output.name for output in session.get_outputs()]
    wanted = next((name for name in ("probabilities", "prediction") if name in outputs), outputs[-1])
    kind = next(output.type for output in session.get_outputs() if output.name == wanted)
    if kind not in ("tensor(float)", "tensor(double)"):
        raise AdoptionRefused(
            f"the model's output '{wanted}' is a {kind}, no table of numbers",
            remedy="skl2onnx: options={'zipmap': False}; else name the output `probabilities` or `prediction`",
        )
    try:
        answers = np.asarray(session.run([wanted], feed)[0], np.float64)
    except Exception as error:  # noqa: BLE001  ONNX Runtime's exceptions share no other base
        raise AdoptionRefused(
            f"the model fails on the reference rows: {str(error).splitlines()[0]}",
            remedy="give rows as it has learned from",
        ) from None
    answers = answers.reshape(len(next(iter(inputs.values()))), -1)
    wrong = ~np.isfinite(answers).all(axis=1)
    if wrong.any():
        raise AdoptionRefused(
            f"the model answers NaN or infinity for {int(wrong.sum())} of {len(answers)} reference rows, first row "
            f"{int(np.flatnonzero(wrong)[0])}",
            remedy="does it impute missing values? if not, leave such rows out, or mend the model",
        )
    return answers


def _task(answers: Array, classes: Sequence[str]) -> tuple[Task, tuple[str, ...]]:
    width = answers.shape[1]
    if width == 1:
        if classes:
            raise AdoptionRefused("the model answers one number a row, and classes are named",
                                  remedy="leave --classes out, or export its probabilities")  # fmt: skip
        return "regression", ()
    if classes and len(classes) != width:
        raise AdoptionRefused(
            f"the model answers {width} probabilities a row, and {len(classes)} classes are named",
            remedy=f"name {width}",
        )
    if np.abs(answers.sum(axis=1) - 1).max() > SUM_TOLERANCE or answers.min() < -SUM_TOLERANCE:
        raise AdoptionRefused("the model's answers are no probabilities: a row does not sum to 1",
                              remedy="export its probabilities as the last output")  # fmt: skip
    names = tuple(classes) or tuple(str(i) for i in range(width))
    return ("binary" if width == 2 else "multiclass"), names


def _samples(request: Sequence[Field], columns: Mapping[str, Array]) -> bytes:
    rows = min(SAMPLES, len(next(iter(columns.values()))))
    made = [
        {field.name: _json(columns[field.name][-rows + i], field) for field in request} for i in range(rows)
    ]
    return (json.dumps(made, indent=1) + "\n").encode()


def _json(value: Any, field: Field) -> Any:
    if field.type == "timestamp":
        return None if np.isnat(value) else f"{value}Z"
    if field.type == "string":
        return value or None
    return None if np.isnan(value) else float(value)
