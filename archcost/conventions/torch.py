"""PyTorch's FlopCounterMode: 2 for each multiply-accumulate of convolutions and matrix products.

Counted: the calls of ATen's convolutions (transposed ones by the input elements that meet each
weight), ``mm``, ``addmm``, ``bmm`` and ``baddbmm``, into which linear layers, matrix products and
the locally connected layers of ``archcost.to_torch`` decompose, and on the meta device attention
and recurrent layers too. A tensor that a matrix product broadcasts is counted as often as it is
used.

Not counted: biases, normalisation, activations, pooling, elementwise operators, the distances of
a radial basis layer, deformable convolutions; and parameters, of which the program says nothing.

Peculiar: a multiply-accumulate is 2, so that the number is twice the mult-adds; padding counts like
any other input. A convolution with a table of connections runs as a dense one whose missing
connections are zeros, and they are counted. Where kernels that do it all at once take their place,
the program may not know these: on the CPU it counts nothing of attention with as many features in
values as in keys, and nothing of an LSTM in fp32 without projection.
"""

from __future__ import annotations

from archcost.conventions.convention import Amounts, Convention
from archcost.conventions.torch_modules import GAPS_COUNTED, dense_macs
from archcost.ir import Node
from archcost.ir.ops.recurrent import GATES

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
    "dynamic_conv",
    "dynamic_conv_transpose",
    "linear",
    "matmul",
    "attention",
    *GATES,
    why="multiply-accumulates counted as 2 operations",
)
def two_for_each(node: Node) -> Amounts:
    """Two for each multiply-accumulate."""
    return {"flops": 2 * node.application.macs}


@TORCH.rule("conv", why=GAPS_COUNTED)
def missing_connections(node: Node) -> Amounts:
    """Two for each weight of the dense kernel that is zero, at each position."""
    return {"flops": 2 * (dense_macs(node) - node.application.macs)}
