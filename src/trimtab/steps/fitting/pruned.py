"""An ONNX file without the hidden units that do least: layers are narrower, so it is smaller and faster by itself.

Whole units go, not single weights: zeros within a matrix would still be multiplied. A unit's mean activation goes into
the next layer's bias in its place, so what is lost is its variation alone, and those go first for which the variance
times the squared norm of their outgoing weights is least (mean replacement: Evci, Le Roux, Castro and Bottou 2018).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.features.columns import Array, Columns
from trimtab.features.schema import Field
from trimtab.steps.fitting.sample import batches
from trimtab.steps.scoring import session

ACTIVATIONS: Final = frozenset(
    ("Relu", "LeakyRelu", "Elu", "Selu", "Gelu", "Softplus", "Tanh", "Sigmoid", "HardSigmoid", "Mish")
)
"""Of one unit alone each: a unit that is left out changes no other's."""


def pruned(model: bytes, share: float, fields: tuple[Field, ...], rows: Columns) -> bytes | None:
    """The file with that share of each hidden layer's units left out; None where it holds no hidden layer.

    A hidden layer is a matrix product with constants, an activation of each unit alone, and another such product.

    Args:
        fields: the file's inputs.
        rows: features of training rows, of which a sample tells what a unit does.
    """
    import onnx

    graph = onnx.load_from_string(model)
    del graph.graph.value_info[:]  # shapes between nodes, which change
    found = list(_hidden(graph))
    for layer in found:
        layer.narrow(share, _activations(graph, layer.out.source, fields, rows))
    return graph.SerializeToString() if found else None


@dataclass(frozen=True, slots=True)
class _Linear:
    """A matrix product with constants, x·W + b: a Gemm, as torch exports it, or a MatMul and an Add, as skl2onnx does.

    Attributes:
        source: the name of x.
        weight, bias: initializers of the graph.
        across: whether the weight lies as (outputs, inputs).
    """

    source: str
    weight: Any
    bias: Any
    across: bool

    def matrix(self) -> Array:
        """Shape (inputs, outputs)."""
        values: Array = _values(self.weight)
        return values.T if self.across else values

    def offset(self) -> Array:
        """Shape (outputs,)."""
        return _values(self.bias).reshape(-1)

    def put(self, matrix: Array, offset: Array) -> None:
        from onnx import numpy_helper

        flat = len(self.bias.dims) == 1
        stored = np.ascontiguousarray(matrix.T if self.across else matrix)
        for place, values in ((self.weight, stored), (self.bias, offset if flat else offset[None, :])):
            place.CopyFrom(numpy_helper.from_array(values.astype(np.float32), place.name))


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A hidden layer.

    Attributes:
        out: the layer after it, whose source is its activation.
    """

    into: _Linear
    out: _Linear

    def narrow(self, share: float, activations: Array) -> None:
        """
        Args:
            activations: of the sample's rows, shape (rows, units).
        """
        outgoing = self.out.matrix()
        lost = activations.var(axis=0) * (outgoing**2).sum(axis=1)
        units = len(lost)
        going = np.argsort(lost, kind="stable")[: min(units - 1, int(units * share))]
        kept = np.setdiff1d(np.arange(units), going)
        instead = activations[:, going].mean(axis=0) @ outgoing[going]
        self.out.put(outgoing[kept], self.out.offset() + instead)
        self.into.put(self.into.matrix()[:, kept], self.into.offset()[kept])


def _values(initializer: Any) -> Array:
    from onnx import numpy_helper

    values: Array = numpy_helper.to_array(initializer)
    return values


def _hidden(graph: Any) -> Iterator[_Hidden]:
    """Its hidden layers, in the order of the graph."""
    nodes = graph.graph.node
    made = {output: node for node in nodes for output in node.output}
    uses = Counter(name for node in nodes for name in node.input)
    uses.update(output.name for output in graph.graph.output)
    constants = {one.name: one for one in graph.graph.initializer if uses[one.name] == 1}
    for node in nodes:
        out = _linear(node, made, constants)
        between = made.get(out.source) if out is not None else None
        if out is None or between is None or between.op_type not in ACTIVATIONS:
            continue
        before = made.get(between.input[0])
        into = None if before is None else _linear(before, made, constants)
        if into is not None and uses[out.source] == uses[between.input[0]] == 1:
            yield _Hidden(into, out)


def _linear(node: Any, made: Mapping[str, Any], constants: Mapping[str, Any]) -> _Linear | None:
    """What ends in this node, if it is one whose constants nobody else reads."""
    across, product = False, node
    if node.op_type == "Gemm":
        of = {one.name: one.f if one.name in ("alpha", "beta") else one.i for one in node.attribute}
        if of.get("alpha", 1) != 1 or of.get("beta", 1) != 1 or of.get("transA") or len(node.input) != 3:
            return None
        across, bias = bool(of.get("transB")), constants.get(node.input[2])
    elif node.op_type == "Add":
        product, bias = made.get(node.input[0]), constants.get(node.input[1])
        if product is None or product.op_type != "MatMul":
            return None
    else:
        return None
    weight = constants.get(product.input[1])
    if weight is None or bias is None:
        return None
    outputs = weight.dims[0 if across else 1]
    whole = tuple(bias.dims) in ((outputs,), (1, outputs))
    return _Linear(product.input[0], weight, bias, across) if whole else None


def _activations(graph: Any, name: str, fields: tuple[Field, ...], rows: Columns) -> Array:
    """That output for the sample's rows, as the graph stands."""
    import onnx
    from onnx import TensorProto, helper

    asked = onnx.ModelProto()
    asked.CopyFrom(graph)
    del asked.graph.output[:]
    asked.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    asking = session(asked.SerializeToString())
    return np.concatenate([asking.run([name], batch)[0] for batch in batches(fields, rows)])
