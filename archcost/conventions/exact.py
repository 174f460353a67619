"""archcost's own count: every elementary operation, each once.

Counted: all the work of a forward pass at inference, by kind, as each operator's own file says;
``flops`` takes a multiply-accumulate as 2 operations and every other elementary operation
(addition, multiplication, comparison, division, exponential ...) as 1. ``activations`` are the
elements of every tensor that is materialised.

Not counted: views (flatten, reshape, dropout at inference), and moving data.

Peculiar: batch normalisation is 2 operations per element, its statistics being folded into one
scale and one shift beforehand; a bias is one addition per output element.
"""

from __future__ import annotations

from typing import Final

from archcost.conventions.convention import Amounts, Convention, counts_all_params, in_words
from archcost.ir import Node

EXACT = Convention(
    "exact",
    quantities=("flops", "macs", "activations", "params"),
    about=__doc__,
    source="archcost's operators (archcost/ir/ops)",
    read="2026-11-21",
)

counts_all_params(EXACT)


@EXACT.rule(why="multiply-accumulates counted as 2 operations")
def multiply_accumulates(node: Node) -> Amounts:
    """Multiply-accumulates, and the elements of the tensors that the node makes."""
    macs = node.application.macs
    return {"flops": 2 * macs, "macs": macs, "activations": node.application.activations}


_BIASED: Final = (
    "conv",
    "depthwise_conv",
    "local_conv",
    "conv_transpose",
    "dynamic_conv",
    "dynamic_conv_transpose",
    "linear",
)
"""Kinds whose only other work are the additions of biases."""


def _other_work(node: Node) -> str:
    if node.op.kind in _BIASED:
        return "biases counted as 1 per output element"
    return f"elementary operations of {in_words(node.op.kind)}"


@EXACT.rule(why=_other_work)
def elementary_operations(node: Node) -> Amounts:
    """All other elementary operations."""
    application = node.application
    return {"flops": application.flops - 2 * application.macs}
