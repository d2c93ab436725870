"""Hidden units left out of an ONNX file: those that do least, with what they did on average in the next bias."""

from typing import Any

import numpy as np
import pytest

from trimtab.features.schema import Field
from trimtab.steps.fitting.pruned import pruned

FIELDS = (Field("a", "number"), Field("b", "number"))
UNITS = 6


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    draw = np.random.default_rng(5)
    return {name: draw.normal(size=300) for name in "ab"}


def network(gemm: bool, dead: int, shared: bool = False) -> bytes:
    """Two inputs, a hidden layer of six, one output; so many units answer a constant 0.7."""
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(9)
    first, second = (draw.normal(size=shape).astype(np.float32) for shape in ((2, UNITS), (UNITS, 1)))
    offset = draw.normal(size=UNITS).astype(np.float32)
    first[:, :dead], offset[:dead] = 0, 0.7
    last = np.array([0.25], np.float32)
    if gemm:
        values = {"w1": first.T.copy(), "b1": offset, "w2": second, "b2": last}
        layers = [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], transB=1),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "w2", "b2"], ["y"]),
        ]
    else:
        values = {"w1": first, "b1": offset[None, :], "w2": second, "b2": last[None, :]}
        layers = [
            helper.make_node("MatMul", ["x", "w1"], ["m"]),
            helper.make_node("Add", ["m", "b1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "w2"], ["n"]),
            helper.make_node("Add", ["n", "b2"], ["y"]),
        ]
    outputs = ["y", "r"] if shared else ["y"]
    nodes = [helper.make_node("Concat", ["a", "b"], ["x"], axis=1), *layers]
    column = [None, 1]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, column) for name in "ab"],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
        value_info=[helper.make_tensor_value_info("h", TensorProto.FLOAT, ["rows", UNITS])],  # as torch exports it
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def answers(model: bytes, rows: dict[str, Any]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["y"], {name: values.astype(np.float32)[:, None] for name, values in rows.items()})[0]


def widths(model: bytes) -> list[list[int]]:
    import onnx

    return [list(one.dims) for one in onnx.load_from_string(model).graph.initializer]


@pytest.mark.parametrize("gemm", [True, False])
def test_units_that_never_change_go_first_and_no_answer_moves(rows: dict[str, Any], gemm: bool) -> None:
    whole = network(gemm, dead=3)
    small = pruned(whole, 0.5, FIELDS, rows)
    assert small is not None
    assert widths(small) == ([[3, 2], [3], [3, 1], [1]] if gemm else [[2, 3], [1, 3], [3, 1], [1, 1]])
    np.testing.assert_allclose(answers(small, rows), answers(whole, rows), atol=1e-5)


def test_what_is_lost_is_no_bias(rows: dict[str, Any]) -> None:
    """Units that do something are left out too: on average over the sample the output stays."""
    whole = network(True, dead=0)
    small = pruned(whole, 0.5, FIELDS, rows)
    assert small is not None
    moved = answers(small, rows) - answers(whole, rows)
    assert abs(moved.mean()) < 1e-5
    assert moved.std() > 1e-3


def test_one_unit_stays_and_a_share_too_small_for_one_changes_nothing(rows: dict[str, Any]) -> None:
    whole = network(True, dead=0)
    least, same = (pruned(whole, share, FIELDS, rows) for share in (0.99, 0.1))
    assert least is not None
    assert same is not None
    assert widths(least)[0] == [1, 2]
    np.testing.assert_array_equal(answers(same, rows), answers(whole, rows))


def test_a_layer_whose_units_others_read_is_left_as_it_is(rows: dict[str, Any]) -> None:
    assert pruned(network(True, dead=3, shared=True), 0.5, FIELDS, rows) is None
