"""A trained module as ONNX: the matrix in, probabilities or a value out."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.refusals import ModelRefused


class Answering(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """The module behind the one matrix that every estimator is given: it answers as predict_proba does.

    Args:
        scale, shift: of a regression's target, which the module has learned with mean 0 and deviation 1.
    """

    def __init__(
        self, module: nn.Module, schema: FeatureSchema, scale: float = 1.0, shift: float = 0.0
    ) -> None:
        super().__init__()
        self.module = module
        self.numbers = len(schema.numeric)
        self.regression = schema.task == "regression"
        self.scale, self.shift = scale, shift

    def forward(self, matrix: torch.Tensor) -> torch.Tensor:
        logits = self.module(matrix[:, : self.numbers], matrix[:, self.numbers :].long())
        return logits * self.scale + self.shift if self.regression else torch.softmax(logits, dim=1)


def to_onnx(answering: Answering, width: int, name: str, opset: int) -> Any:
    """The ONNX model, its one input `matrix` and one output; nothing of this machine in it.

    Raises:
        ModelRefused: torch.onnx cannot export the module.
    """
    rows = torch.export.Dim("batch", min=1)
    try:
        with _quiet():
            program = torch.onnx.export(
                answering,
                (torch.zeros(2, width),),
                dynamo=True,
                opset_version=opset,
                input_names=["matrix"],
                output_names=["answer"],
                dynamic_shapes=({0: rows},),
                external_data=False,
                verbose=False,
            )
        model = program.model_proto
    except Exception as error:
        raise ModelRefused(
            f"{name}: the network cannot be exported to ONNX: {str(error).strip().splitlines()[0]}",
            remedy="in forward, use torch's own operators, and no Python branch on values or on the number of rows",
        ) from error
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.functions):
        part.doc_string = ""
        del part.metadata_props[:]  # stack traces, with paths of this machine
    for whole in (model, model.graph):
        whole.doc_string = ""
        del whole.metadata_props[:]
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter has to say of itself."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
