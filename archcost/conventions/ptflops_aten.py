"""ptflops, ATen backend: multiply-accumulates of convolutions and matrix products, with biases.

Counted, in the calls of ATen's operators: convolutions (transposed ones by the input elements that
meet each weight), linear layers and matrix products, on the meta device those of attention and
recurrent layers too, at one for each multiply-accumulate; the bias of a convolution or linear layer
at one per output element, and of a recurrent layer, which has two, at two for each gate of a hidden
unit at each step. ``params`` are all trainable ones, a
shared one once.

Not counted: normalisation, activation functions, pools, elementwise operators, the bias of a
locally connected layer, distances of a radial basis layer, deformable convolutions.

Peculiar: a bias is counted among the MACs. Whole batches are counted, unlike by the default
backend. A convolution with a table of connections runs as a dense one, whose missing connections
are counted. The bias of a transposed convolution counts at elements that are then cut off, too.
"""

from __future__ import annotations

from math import prod

from archcost.conventions.convention import Amounts, Convention, counts_all_params, plain_macs
from archcost.conventions.torch_modules import GAPS_COUNTED, biased, dense_macs
from archcost.ir import Node
from archcost.ir.ops.recurrent import GATES

PTFLOPS_ATEN = Convention(
    "ptflops-aten",
    quantities=("macs", "params"),
    about=__doc__,
    source="ptflops 0.7.5, ptflops/aten_engine.py and ptflops/aten_ops.py",
    read="2026-11-21",
)

counts_all_params(PTFLOPS_ATEN)
PTFLOPS_ATEN.rule(
    "conv_transpose",
    "local_conv",
    "dynamic_conv",
    "dynamic_conv_transpose",
    "linear",
    "matmul",
    "attention",
    *GATES,
)(plain_macs)


@PTFLOPS_ATEN.rule("conv", "depthwise_conv", why=GAPS_COUNTED)
def convolution(node: Node) -> Amounts:
    """Multiply-accumulates with all of the channels of a group."""
    return {"macs": dense_macs(node)}


@PTFLOPS_ATEN.rule(
    "conv",
    "depthwise_conv",
    "conv_transpose",
    "dynamic_conv",
    "dynamic_conv_transpose",
    "linear",
    why="biases counted as 1 per output element",
)
def bias(node: Node) -> Amounts:
    """1 per element of the module's output."""
    return {"macs": biased(node)}


@PTFLOPS_ATEN.rule(*GATES, why="both biases of a gate counted as 1 each")
def gate_biases(node: Node) -> Amounts:
    """1 per element of each bias at each step."""
    biases = sum(len(p.shape) == 1 and p.numel for p in node.application.stored)
    return {"macs": biases * prod(node.inputs[0].shape[:-1])}
