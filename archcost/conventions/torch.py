"""PyTorch's FlopCounterMode: 2 for each multiply-accumulate of convolutions and matrix products.

Counted: the calls of ATen's convolutions (transposed ones by the input elements that meet each
weight), ``mm``, ``addmm``, ``bmm`` and ``baddbmm``, into which linear layers, matrix products and
the locally connected layers of ``archcost.to_torch`` decompose. A tensor that a matrix
product broadcasts is counted as often as it is used.

Not counted: biases, normalisation, activations, pooling, elementwise operators, the distances of
a radial basis layer; and parameters, of which the program says nothing.

Peculiar: a multiply-accumulate is 2, so that the number is twice the mult-adds; padding counts like
any other input. A convolution with a table of connections runs as a dense one whose missing
connections are zeros, and they are counted.
"""

from __future__ import annotations

from archcost.conventions.convention import Amounts, Convention
from archcost.conventions.torch_modules import GAPS_COUNTED, dense_macs
from archcost.ir import Node

TORCH = Convention(
    "torch",
    quantities=("flops",),
    about=__doc__,
    source="torch 2.13.0, torch/utils/flop_counter.py",
    read="2026-11-21",
)


@TORCH.rule(
    "conv",
    "depthwise_conv",
    "conv_transpose",
    "local_conv",
    "linear",
    "matmul",
    why="multiply-accumulates counted as 2 operations",
)
def two_for_each(node: Node) -> Amounts:
    """Two for each multiply-accumulate."""
    return {"flops": 2 * node.application.macs}


@TORCH.rule("conv", why=GAPS_COUNTED)
def missing_connections(node: Node) -> Amounts:
    """Two for each weight of the dense kernel that is zero, at each position."""
    return {"flops": 2 * (dense_macs(node) - node.application.macs)}
