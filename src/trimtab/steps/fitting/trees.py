"""Trees that add up to a number, in ONNX: thresholds, leaves and their sum are float64, as in scikit-learn.

skl2onnx rounds each leaf to float32, and so does the sum. Where labels have both signs, leaves are larger than what
they add up to, and the answer is further off than 1e-5. ONNX's TreeEnsembleRegressor (ai.onnx.ml, since version 3)
takes doubles; the answer alone is rounded, at the end.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

VERSION: Final = 3


class _InDoubles:
    """skl2onnx's container, which keeps arrays of doubles as what they are."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def add_node(self, kind: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        from onnx import numpy_helper

        doubles = {name for name, value in attributes.items() if getattr(value, "dtype", None) == np.float64}
        tensors = {f"{name}_as_tensor": numpy_helper.from_array(attributes[name]) for name in doubles}
        kept = {name: value for name, value in attributes.items() if name not in doubles}
        self._container.add_node(kind, inputs, outputs, **kept, **tensors)


def _converted(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_regressor_converter

    doubles = scope.get_unique_variable_name("doubles")
    container.add_node("Cast", operator.input_full_names, doubles, op_version=13, to=TensorProto.DOUBLE)
    asked = SimpleNamespace(
        raw_operator=operator.raw_operator,
        inputs=[SimpleNamespace(type=DoubleTensorType())],
        input_full_names=[doubles],
        outputs=operator.outputs,
    )
    convert_sklearn_random_forest_regressor_converter(scope, asked, _InDoubles(container), op_version=VERSION)


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, 1])


def converters() -> Mapping[str, Mapping[type, Callable[..., None]]]:
    """What `skl2onnx.convert_sklearn` is given for these estimators."""
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor

    kinds = (ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor)
    return {
        "custom_conversion_functions": dict.fromkeys(kinds, _converted),
        "custom_shape_calculators": dict.fromkeys(kinds, _shape),
    }
