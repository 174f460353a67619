"""THOP: multiply-accumulates of the layer classes that it knows, and operations of some others.

Counted, on the modules of ``archcost.to_torch``: convolutions and linear layers at one for
each multiply-accumulate, without bias; batch, layer and instance normalisation at 4 per element, or
2 without weights of their own; PReLU at 1 per element; softmax at 3 n - 1 for a vector of n; an
average pool at 1 per output element; a global or adaptive one at (in / out) + 1 per output element;
nearest upsampling at 1, linear at 5, bilinear at 11 and bicubic at 259 per output element;
recurrent layers at one for each multiply-accumulate of two matrices and each bias at each step, and
for a hidden unit 8 more in an LSTM, 7 in a GRU, 1 elsewhere. ``params`` are those of
the layer classes that it knows.

Known and counted as nothing: ReLU, ReLU6, LeakyReLU, maximum pools, dropout, zero padding in two
dimensions.

Not counted: whatever is not a module (matrix products, sums, products, concatenations), and all
other layer classes, neither their work nor their params: group and root mean square normalisation,
embeddings, deformable convolutions, sigmoids
and most activations, log-softmax, interpolation in three dimensions, and classes of a program's
own, subclasses of known ones too (here locally connected layers, connection tables, DropConnect,
upsampling with a filter against aliasing, scale and shift, radial basis).

Peculiar: the sum of multiply-accumulates and single operations is called MACs. A transposed
convolution is counted at each output element, as if none of its kernel met a gap. ``in / out`` of
an adaptive pool is a floating-point quotient, although bins overlap where it is no integer; the
product with the output elements is cut to an integer. Weights that several layers share count once
for each. LSTMs count as if without projection; a sequence alone, (T, features), is taken for T
sequences of as many steps as it has features. THOP hands out floats, which are integers, exact up
to 2^53.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from archcost.conventions.convention import Amounts, Convention, counted_as, plain_macs
from archcost.conventions.torch_modules import (
    derived_not_counted,
    of_torch,
    sequence_rows,
    sequence_why,
    transposed_output,
)
from archcost.ir import Node
from archcost.ir.ops.activation import Softmax
from archcost.ir.ops.normalization import BatchNorm, InstanceNorm, LayerNorm
from archcost.ir.ops.recurrent import GATES, Recurrent
from archcost.ir.ops.shape import Upsample

THOP = Convention(
    "thop",
    quantities=("macs", "params"),
    about=__doc__,
    source="thop 0.1.1.post2209072238, thop/profile.py and thop/vision",
    read="2026-11-21",
)

_WITH_PARAMS: Final = frozenset(
    {
        "conv",
        "depthwise_conv",
        "conv_transpose",
        "linear",
        "batch_norm",
        "layer_norm",
        "instance_norm",
        "prelu",
        *GATES,
    }
)
"""Kinds with parameters whose layer class is known."""

_INTERPOLATION: Final = {1: 5, 2: 11, 3: 0}
"""Spatial dimensions -> what an element interpolated linearly along each is counted as."""


@THOP.over_nodes
def params_of_known_classes(nodes: Sequence[Node]) -> Amounts:
    """Trainable parameters of the layer classes that it knows, a shared one for each layer."""
    known = (node for node in nodes if node.op.kind in _WITH_PARAMS and of_torch(node))
    return {"params": sum(node.application.params for node in known)}


@THOP.rule("conv", "depthwise_conv", "linear", why=derived_not_counted)
def known_layers(node: Node) -> Amounts:
    """Multiply-accumulates of a known class."""
    return plain_macs(node) if of_torch(node) else {}


@THOP.rule("conv_transpose", why="transposed convolutions counted at each output element")
def conv_transpose(node: Node) -> Amounts:
    """Input channels of a group times kernel, for each output element."""
    channels, out, *kernel = node.application.stored[0].shape  # out of one group
    given = transposed_output(node)
    return {"macs": given.numel * (channels * out // given.channels) * prod(kernel)}


def _each_normalised(node: Node) -> int:
    assert isinstance(node.op, BatchNorm | LayerNorm | InstanceNorm)
    return 4 if node.op.affine else 2


@THOP.rule("batch_norm", "layer_norm", "instance_norm", why=counted_as(_each_normalised))
def normalisation(node: Node) -> Amounts:
    """4 per element with weights of its own, else 2."""
    return {"macs": _each_normalised(node) * node.inputs[0].type.numel}


@THOP.rule("prelu", why=counted_as(1))
def prelu(node: Node) -> Amounts:
    """1 per element."""
    return {"macs": node.inputs[0].type.numel}


@THOP.rule("softmax", why=counted_as("3 n - 1", "vector of n"))
def softmax(node: Node) -> Amounts:
    """For a vector of n: n exponentials, n - 1 additions, n divisions."""
    assert isinstance(node.op, Softmax)
    type_ = node.inputs[0].type
    n = type_.shape[node.op.dim]
    return {"macs": type_.numel // n * (3 * n - 1)}


@THOP.rule("avg_pool", "sum_pool", why=counted_as(1, "output element"))
def sliding_average(node: Node) -> Amounts:
    """1 per output element, whatever the window."""
    return {"macs": node.outputs[0].type.numel}


@THOP.rule(
    "global_avg_pool",
    "adaptive_avg_pool",
    why=counted_as("in / out + 1", "output element"),
)
def adaptive_average(node: Node) -> Amounts:
    """Input / output + 1 in floating-point numbers for each output element, cut to an integer."""
    inputs, outputs = node.inputs[0].type, node.outputs[0].type
    bins = prod(n / m for n, m in zip(inputs.spatial, outputs.spatial, strict=True))
    return {"macs": int((bins + 1) * outputs.numel)}


def _each_upsampled(node: Node) -> int:
    op = node.op
    assert isinstance(op, Upsample)
    if op.antialias:
        return 0
    linear = _INTERPOLATION[len(node.outputs[0].type.spatial)]
    return {"nearest": 1, "bilinear": linear, "bicubic": 259}[op.mode]


@THOP.rule("upsample", why=counted_as(_each_upsampled, "output element"))
def upsample(node: Node) -> Amounts:
    """1, 5, 11 or 259 per output element by mode; nothing linear in three dimensions."""
    return {"macs": _each_upsampled(node) * node.outputs[0].type.numel}


_UNIT: Final = {"lstm": 8, "gru": 7, "rnn_tanh": 1, "rnn_relu": 1}
"""kind -> what a hidden unit counts at one step besides its products."""


def _steps(node: Node, each: int) -> Amounts:
    """``each`` for one step of one direction, as often as there are such."""
    assert isinstance(node.op, Recurrent)
    return {"macs": each * sequence_rows(node) * node.op.directions}


@THOP.rule(*GATES, why=sequence_why)
def recurrent(node: Node) -> Amounts:
    """Both matrices of each layer, each hidden unit being handed on."""
    op = node.op
    assert isinstance(op, Recurrent)
    read = node.inputs[0].shape[-1] + (op.layers - 1) * op.directions * op.hidden
    return _steps(node, GATES[op.kind] * op.hidden * (read + op.layers * op.hidden))


@THOP.rule(*GATES, why="both biases of a gate counted as 1 each")
def gate_biases(node: Node) -> Amounts:
    """Both biases of each layer."""
    op = node.op
    assert isinstance(op, Recurrent)
    return _steps(node, 2 * GATES[op.kind] * op.hidden * op.layers if op.bias else 0)


@THOP.rule(*GATES, why=counted_as(lambda node: _UNIT[node.op.kind], "hidden unit and step besides"))
def units(node: Node) -> Amounts:
    """1, 7 or 8 for each hidden unit."""
    op = node.op
    assert isinstance(op, Recurrent)
    return _steps(node, op.layers * op.hidden * _UNIT[op.kind])


@THOP.rule("relu", "relu6", "leaky_relu", "max_pool", "global_max_pool", "adaptive_max_pool")
def known_as_free(node: Node) -> Amounts:
    """Nothing."""
    return {}
