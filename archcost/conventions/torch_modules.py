"""What programs see otherwise in the modules of :func:`archcost.to_torch` than the graph has it."""

from __future__ import annotations

from math import prod
from typing import Final

from archcost.ir import Graph, Node, TensorType
from archcost.ir.ops.convolution import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    DynamicConv,
    DynamicConvTranspose,
)
from archcost.ir.ops.linear import Linear
from archcost.ir.ops.pooling import AvgPool, LpPool, MaxPool, SumPool
from archcost.ir.ops.windows import Windows, per_dimension

GAPS_COUNTED: Final = "missing connections of a connection table counted"
"""why :func:`dense_macs` are counted"""


def of_torch(node: Node) -> bool:
    """Whether the module of a convolution or linear layer is of torch's own class, not of one that
    archcost derives for a table of connections or for DropConnect."""
    op = node.op
    if isinstance(op, Linear):
        return not op.drop_connect
    return not isinstance(op, Conv) or op.connections is None


def derived_not_counted(node: Node) -> str:
    """Why a program that knows torch's own classes alone counts nothing of the others."""
    if isinstance(node.op, Linear):
        return "linear layers with DropConnect not counted"
    return "convolutions with a connection table not counted"


def dense_macs(node: Node) -> int:
    """Multiply-accumulates of a convolution with its connection table's gaps filled by zeros.

    torch has no other way to run one.
    """
    op, macs = node.op, node.application.macs
    if not isinstance(op, Conv) or op.connections is None:
        return macs
    links = sum(map(len, op.connections))
    return macs // links * op.out * node.inputs[0].type.channels


def pooled_input(node: Node) -> TensorType:
    """What the module of a sliding pool is given: the node's input, or that with its padding."""
    x = node.inputs[0].type
    return x.with_shape((*x.shape[:2], *_padded(_windows(node)))) if _pads_before(node) else x


def divisors(node: Node) -> int:
    """Elements of which means are taken besides, to know what an average pool is to divide by:
    one channel of ones, where its module is given padding that does not count."""
    windows = _windows(node)
    assert isinstance(node.op, AvgPool)
    counts = node.op.count_padding and windows.sides() == list(windows.padding)
    return prod(_padded(windows)) if _pads_before(node) and not counts else 0


def _windows(node: Node) -> Windows:
    op = node.op
    assert isinstance(op, MaxPool | AvgPool | SumPool | LpPool)
    return op.windows(node.inputs[0].type)


def _pads_before(node: Node) -> bool:
    """Whether a sliding pool is padded by a function before its module.

    torch's pools pad both sides alike and by half a kernel at most; means in three dimensions take
    no kernel larger than the input before that. Maxima and means round up if asked; sums and norms
    are padded so that nothing is left to round.
    """
    windows = _windows(node)
    sides = windows.padding if isinstance(node.op, MaxPool | AvgPool) else windows.sides()
    if isinstance(node.op, AvgPool | SumPool) and len(windows.sizes) == 3:
        larger = any(k > n for k, n in zip(windows.kernel, windows.sizes, strict=True))
    else:
        larger = False
    pads = zip(sides, windows.kernel, strict=True)
    return larger or not all(before == after <= k // 2 for (before, after), k in pads)


def _padded(windows: Windows) -> list[int]:
    """Spatial sizes of the input with all of its padding."""
    return [n + sum(pair) for n, pair in zip(windows.sizes, windows.sides(), strict=True)]


def transposed_output(node: Node) -> TensorType:
    """What the module (or function) of a transposed convolution gives.

    That is the node's output, unless its padding differs on both sides: torch cuts off as much on
    both and adds less than max(stride, dilation) elements behind; what is too much then is
    sliced off outside of the module.
    """
    op, x, y = node.op, node.inputs[0].type, node.outputs[0].type
    if isinstance(op, DynamicConvTranspose):
        op = op.stored
    assert isinstance(op, ConvTranspose)
    rank = x.rank - 2
    kernel, stride, dilation = (
        per_dimension(op.kind, name, getattr(op, name), rank)
        for name in ("kernel", "stride", "dilation")
    )
    sizes = []
    for n, out, k, s, d, front in zip(
        x.spatial, y.spatial, kernel, stride, dilation, op.fronts(rank), strict=True
    ):
        whole = (n - 1) * s + d * (k - 1) + 1
        back = whole - front - out
        both = min(front, back + max(s, d) - 1)
        sizes.append(whole - 2 * both + max(0, both - back))
    return y.with_shape((*y.shape[:2], *sizes))


def biased(node: Node) -> int:
    """Elements to which the module of a convolution or linear layer adds a bias.

    Of a transposed convolution these are its module's, some of which may be sliced off.
    """
    op = node.op
    dynamic = DynamicConv | DynamicConvTranspose
    assert isinstance(op, Conv | DepthwiseConv | ConvTranspose | Linear | dynamic)
    if not op.bias:
        return 0
    transposed = isinstance(op, ConvTranspose | DynamicConvTranspose)
    return (transposed_output(node) if transposed else node.outputs[0].type).numel


def sequence_rows(node: Node) -> int:
    """Vectors that a program takes the sequences of a recurrent layer to hold: the product of the
    first two sizes. Of one sequence alone, (T, features), these are its steps and its features."""
    shape = node.inputs[0].shape
    return shape[0] * shape[1]


def sequence_why(node: Node) -> str:
    """Why a program that multiplies with :func:`sequence_rows` and knows no projections counts a
    recurrent layer otherwise."""
    if node.inputs[0].type.rank == 2:
        return "one sequence alone taken for a batch of sequences"
    return "projections of LSTM layers left out"


def unread(graph: Graph) -> list[Node]:
    """Nodes that lead to no output: a tracer drops them."""
    wanted = set(graph.outputs)
    dropped = []
    for node in reversed(graph.nodes):
        if wanted.isdisjoint(node.outputs):
            dropped.append(node)
        else:
            wanted.update(node.inputs)
    return dropped[::-1]
