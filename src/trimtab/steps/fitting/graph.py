"""Preprocessing and model as one ONNX graph: named columns in, probabilities or a prediction out.

Each feature is an input of shape [batch, 1], float32 or string. The preprocessing's nodes do what
`Preprocessing.matrix` does, operation by operation in float32.
"""

from typing import Any, Final

import numpy as np

from trimtab.features.schema import Field, Task
from trimtab.steps.fitting.preprocessing import Preprocessing
from trimtab.steps.fitting.refusals import ModelRefused
from trimtab.steps.fitting.trees import converters

OPSET: Final = 18
ML_OPSET: Final = 3
IR_VERSION: Final = 10
MATRIX: Final = "matrix"


def exported(
    preprocessing: Preprocessing, estimator: Any, fields: tuple[Field, ...], task: Task, name: str
) -> bytes:
    """The ONNX file.

    Args:
        fields: the features, in the order of the plan's outputs; all become inputs, used or not.

    Raises:
        ModelRefused: skl2onnx knows no converter for the estimator, or torch.onnx cannot export the network.
    """
    import onnx
    from onnx import TensorProto, compose, helper

    model = _converted(estimator, len(_width(preprocessing)), name)
    answer = "prediction" if task == "regression" else "probabilities"
    source = model.graph.output[-1].name  # before a classifier's probabilities stands its label
    nodes, constants = _preprocessing_nodes(preprocessing)
    inputs = [
        helper.make_tensor_value_info(
            field.name, TensorProto.STRING if field.type == "string" else TensorProto.FLOAT, ["batch", 1]
        )
        for field in fields
    ]
    head = helper.make_model(
        helper.make_graph(
            nodes,
            "preprocessing",
            inputs,
            [helper.make_tensor_value_info(MATRIX, TensorProto.FLOAT, ["batch", len(_width(preprocessing))])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
    )
    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.extend(head.opset_import)
    model = compose.add_prefix(model, "model/")
    whole = compose.merge_models(
        head, model, io_map=[(MATRIX, "model/matrix")], outputs=[f"model/{source}"], producer_name="trimtab"
    )
    _rename_output(whole, f"model/{source}", answer)
    onnx.checker.check_model(whole)
    return bytes(whole.SerializeToString())


def _width(preprocessing: Preprocessing) -> list[str]:
    schema = preprocessing.schema("binary", ())
    return [*schema.numeric, *(category.name for category in schema.categorical)]


def _converted(estimator: Any, width: int, name: str) -> Any:
    if hasattr(estimator, "to_onnx"):
        return estimator.to_onnx(width, OPSET)
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    try:
        return convert_sklearn(
            estimator,
            name="model",  # else a random one, and no two files alike
            initial_types=[(MATRIX, FloatTensorType([None, width]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            **converters(),
        )
    except Exception as error:
        raise ModelRefused(
            f"{name}: {type(estimator).__name__} cannot be exported to ONNX: {error}",
            remedy="return an estimator that skl2onnx converts, such as those of scikit-learn, or a torch module",
        ) from error


def _preprocessing_nodes(preprocessing: Preprocessing) -> tuple[list[Any], list[Any]]:
    from onnx import helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    parts: list[str] = []

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(values, f"pre/{name}"))
        return f"pre/{name}"

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    if preprocessing.numeric:
        steps = preprocessing.numeric
        row = {
            part: constant(part, np.array([[getattr(step, part) for step in steps]], np.float32))
            for part in ("median", "mean", "inverse")
        }
        raw = node("Concat", [step.name for step in steps], "pre/raw", axis=1)
        absent = node("IsNaN", [raw], "pre/absent")
        known = node("Where", [absent, row["median"], raw], "pre/known")
        centred = node("Sub", [known, row["mean"]], "pre/centred")
        parts.append(node("Mul", [centred, row["inverse"]], "pre/scaled"))
        if preprocessing.flags:
            asked = constant("flagged", np.array(preprocessing.flags, np.int64))
            flags = node("Gather", [absent, asked], "pre/flags", axis=1)
            parts.append(node("Cast", [flags], "pre/flags_float", to=1))
    for i, category in enumerate(preprocessing.categorical):
        # an empty vocabulary needs one key: "" is missing, and has code 0 already
        keys = list(category.vocabulary) or [""]
        codes = [float(j + 1) for j in range(len(category.vocabulary))] or [0.0]
        parts.append(
            node(
                "LabelEncoder",
                [category.name],
                f"pre/code_{i}",
                domain="ai.onnx.ml",
                keys_strings=keys,
                values_floats=codes,
                default_float=0.0,
            )
        )
    node("Concat", parts, MATRIX, axis=1)
    return nodes, constants


def _rename_output(model: Any, old: str, new: str) -> None:
    for made in model.graph.node:
        for i, output in enumerate(made.output):
            if output == old:
                made.output[i] = new
    model.graph.output[0].name = new
