"""An ONNX file with weights, and in part arithmetic, in 8 bits: a quarter of the size, and faster where the CPU
has the instructions for it.

Only matrix products are quantised, which are what networks consist of. Trees and linear models are single
operators of ai.onnx.ml, which compare or sum as they are: nothing of theirs can be made smaller this way.

- static: the range of every activation is fixed beforehand, on training rows.
- dynamic: it is taken from the rows of each call, so that an answer depends a little on the rows asked with it.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.features.columns import Columns
from trimtab.features.schema import Field
from trimtab.steps.fitting.sample import batches

Mode = Literal["dynamic", "static"]
QUANTISED: Final = ("MatMul", "Gemm")


def quantised(model: bytes, mode: Mode, fields: tuple[Field, ...], rows: Columns) -> bytes | None:
    """The file in 8 bits; None where it holds no matrix product.

    Args:
        fields: the file's inputs.
        rows: features of training rows, of which a sample sets the ranges (static).
    """
    import onnx
    from onnx import helper

    graph = onnx.load_from_string(model)
    if not any(node.op_type in QUANTISED for node in graph.graph.node):
        return None
    versions = {opset.domain: opset.version for opset in graph.opset_import}
    del graph.opset_import[:]  # merged graphs import each domain twice, which the quantiser does not take
    graph.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    with tempfile.TemporaryDirectory(prefix="trimtab-quantised-") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(graph.SerializeToString())
        _quantise(source, target, mode, fields, rows)
        return target.read_bytes()


def _quantise(source: Path, target: Path, mode: Mode, fields: tuple[Field, ...], rows: Columns) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Rows(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no type hints
        def __init__(self) -> None:
            self._left = batches(fields, rows)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns of a pre-processing that our graphs need not
    try:
        if mode == "dynamic":
            quantize_dynamic(
                source, target, op_types_to_quantize=list(QUANTISED), weight_type=QuantType.QInt8
            )
        else:
            quantize_static(
                source,
                target,
                Rows(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                weight_type=QuantType.QInt8,
            )
    finally:
        root.setLevel(level)
