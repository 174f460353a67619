"""Working out small tensors that do not depend on the inputs: the arithmetic on shapes with which
exporters surround what a network does.

The values come of onnx's own reference implementation of each operator. Only operators that
compute with what is there are carried out, and only where the result is known to be small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final

from archcost.sources.onnx.inference import alone
from archcost.sources.onnx.tensors import MOST_ELEMENTS

if TYPE_CHECKING:
    from onnx import NodeProto

    from archcost.sources.onnx.call import Call
    from archcost.sources.onnx.tensors import Array

MOST_IN_ALL: Final = 2**26
"""Elements worked out for one file."""
MOST_OF_A_WEIGHT: Final = 16
"""Elements of a stored tensor of floating-point numbers that is still taken for an argument, as
the scales of a Resize are, and not for something learned."""

Arrays = Sequence["Array | None"]


def _broadcast(arrays: Arrays) -> int:
    shapes = [array.shape for array in arrays if array is not None]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return prod(max(sizes) if 0 not in sizes else 0 for sizes in zip(*padded, strict=True))


def _all_together(arrays: Arrays) -> int:
    return sum(int(array.size) for array in arrays if array is not None)


def _taken(arrays: Arrays) -> int:
    data, indices = arrays[0], arrays[1]
    assert data is not None
    assert indices is not None
    rows = max(1, min(data.shape, default=1))
    return int(indices.size) * (int(data.size) // rows if data.size else 0)


def _as_its_shape_says(arrays: Arrays) -> int:
    """ConstantOfShape."""
    shape = arrays[0]
    assert shape is not None
    return prod(int(size) for size in shape.reshape(-1).tolist())


def _expanded(arrays: Arrays) -> int:
    data, shape = arrays[0], arrays[1]
    assert data is not None
    assert shape is not None
    sizes = [int(size) for size in shape.reshape(-1).tolist()]
    rank = max(data.ndim, len(sizes))
    pairs = zip(
        (1,) * (rank - data.ndim) + data.shape, [1] * (rank - len(sizes)) + sizes, strict=True
    )
    return prod(max(pair) for pair in pairs)


def _tiled(arrays: Arrays) -> int:
    data, counts = arrays[0], arrays[1]
    assert data is not None
    assert counts is not None
    return int(data.size) * prod(max(1, int(size)) for size in counts.reshape(-1).tolist())


def _counted(arrays: Arrays) -> int:
    """Range."""
    start, limit, step = (float(a.reshape(-1)[0]) for a in arrays if a is not None and a.size == 1)
    return max(0, ceil((limit - start) / step))


def _one_hot(arrays: Arrays) -> int:
    indices, depth = arrays[0], arrays[1]
    assert indices is not None
    assert depth is not None
    return int(indices.size) * int(depth.reshape(-1)[0])


def _indices(arrays: Arrays) -> int:
    """NonZero."""
    (data,) = arrays
    assert data is not None
    return int(data.size) * max(1, data.ndim)


_ELEMENTWISE: Final = (
    "Abs Add And BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Clip Cos Div Equal Erf Exp "
    "Floor Greater GreaterOrEqual Identity IsInf IsNaN Less LessOrEqual Log Max Mean Min Mod Mul "
    "Neg Not Or Pow Reciprocal Round Sigmoid Sign Sin Sqrt Sub Sum Tanh Where Xor"
)
_MOVING: Final = (
    "ArgMax ArgMin Concat CumSum Flatten GatherElements GatherND ReduceMax ReduceMean ReduceMin "
    "ReduceProd ReduceSum Reshape ScatterElements ScatterND Shape Size Slice Split Squeeze TopK "
    "Transpose Trilu Unique Unsqueeze"
)
BOUNDS: Final[dict[str, Callable[[Arrays], int]]] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _broadcast),
    **dict.fromkeys(_MOVING.split(), _all_together),
    "ConstantOfShape": _as_its_shape_says,
    "Expand": _expanded,
    "Gather": _taken,
    "NonZero": _indices,
    "OneHot": _one_hot,
    "Range": _counted,
    "Tile": _tiled,
}
"""The operators that are carried out, and the most elements that each can give."""


class Folder:
    """Carries out single operators, within what one file may take."""

    def __init__(self) -> None:
        self.left = MOST_IN_ALL
        self._kept: dict[tuple[Any, ...], Any] = {}

    def outputs(self, call: Call, arrays: Arrays) -> list[Array] | None:
        """The values that ``call``, of an operator in :data:`BOUNDS`, gives; None where they are
        too large, or cannot be worked out."""
        try:
            elements = BOUNDS[call.op_type](arrays)
            if not 0 <= elements <= min(MOST_ELEMENTS, self.left):
                return None
            self.left -= elements
            return self._run(call, arrays)
        except (
            Exception
        ):  # whatever numpy says to inputs that do not fit; the reader says it better
            return None

    def _run(self, call: Call, arrays: Arrays) -> list[Array]:
        import numpy

        node = alone(call)
        key = call.version, node.SerializeToString()
        evaluator = self._kept.get(key)
        if evaluator is None:
            evaluator = self._kept[key] = _evaluator(node, call.version)
        feeds = {name: array for name, array in zip(node.input, arrays, strict=True) if name}
        with numpy.errstate(all="ignore"):
            found = evaluator.run(None, feeds)
        return [numpy.asarray(array) for array in found]


def _evaluator(node: NodeProto, version: int) -> Any:
    """What carries out ``node`` as the operator was in that version."""
    from onnx import GraphProto, ModelProto, OperatorSetIdProto, ValueInfoProto
    from onnx.reference import ReferenceEvaluator

    graph = GraphProto(
        name=node.op_type,
        node=[node],
        input=[ValueInfoProto(name=name) for name in node.input if name],
        output=[ValueInfoProto(name=name) for name in node.output],
    )
    imports = [OperatorSetIdProto(domain="", version=version)]
    return ReferenceEvaluator(ModelProto(graph=graph, opset_import=imports, ir_version=8))
