"""LeCun et al. (1998): connections, as the LeNet-5 paper counts them.

Counted: for each unit one connection for each input that it weighs or sums, and one for its bias.
That is, for convolutions, linear layers and matrix products, multiply-accumulates and biases; for a
pool the elements of its windows, padding included; for a trainable coefficient and bias (LeNet-5's
S layers) only the bias, since the coefficient weighs the sum of links already counted; for a radial
basis layer its inputs for each output.

Not counted: squashing functions, normalisation, softmax, sums.

Peculiar: the LeNet-5 paper gives connections and parameters side by side, since shared weights make
the former many more. Some texts print the number as MACs.
"""

from __future__ import annotations

from math import prod

from archcost.conventions.convention import Amounts, Convention, counted_as
from archcost.ir import Node
from archcost.ir.ops.pooling import AvgPool, FractionalMaxPool, LpPool, MaxPool, SumPool
from archcost.ir.ops.windows import per_dimension

LECUN_1998 = Convention(
    "lecun-1998",
    quantities=("connections",),
    about=__doc__,
    source="LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document "
    "recognition, 1998, section II.B",
    read="2026-11-21",
)

_POOLS = ("max_pool", "avg_pool", "sum_pool", "lp_pool", "fractional_max_pool")
_GLOBAL_POOLS = (
    "global_max_pool",
    "global_avg_pool",
    "adaptive_max_pool",
    "adaptive_avg_pool",
)
_WEIGHTED = ("conv", "depthwise_conv", "local_conv", "conv_transpose", "linear", "matmul")


@LECUN_1998.rule(*_WEIGHTED)
def weighted(node: Node) -> Amounts:
    """Multiply-accumulates."""
    return {"connections": node.application.macs}


@LECUN_1998.rule(*_WEIGHTED, "scale_shift", why="biases counted as 1 per output element")
def biases(node: Node) -> Amounts:
    """One for each output element, where there is a bias."""
    return {"connections": node.application.work.add}


@LECUN_1998.rule(*_POOLS, why=counted_as(1, "element of a window"))
def pool(node: Node) -> Amounts:
    """Whole windows."""
    op, x, y = node.op, node.inputs[0].type, node.outputs[0].type
    assert isinstance(op, MaxPool | AvgPool | SumPool | LpPool | FractionalMaxPool)
    kernel = per_dimension(op.kind, "kernel", op.kernel, x.rank - 2)
    return {"connections": y.numel * prod(kernel)}


@LECUN_1998.rule(*_GLOBAL_POOLS, why=counted_as(1, "input element"))
def global_pool(node: Node) -> Amounts:
    """The input's elements."""
    return {"connections": node.inputs[0].type.numel}


@LECUN_1998.rule("rbf", why=counted_as(1, "input of each output"))
def rbf(node: Node) -> Amounts:
    """Inputs for each output."""
    return {"connections": node.outputs[0].type.numel * node.inputs[0].shape[-1]}
