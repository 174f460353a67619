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

from archcost.conventions.convention import Amounts, Convention, in_words, unique_params
from archcost.ir import Node

EXACT = Convention(
    "exact",
    quantities=("flops", "macs", "activations", "params"),
    about=__doc__,
    source="archcost's operators (archcost/ir/ops)",
    read="2026-11-21",
)

EXACT.over_nodes(unique_params)


@EXACT.rule(why="multiply-accumulates counted as 2 operations")
def multiply_accumulates(node: Node) -> Amounts:
    """Multiply-accumulates, and the elements of the tensors that the node makes."""
    macs = node.application.macs
    return {"flops": 2 * macs, "macs": macs, "activations": node.application.activations}


def _other_work(node: Node) -> str:
    if node.op.weighted:
        return "biases counted as 1 per output element"
    return f"elementary operations of {in_words(node.op.kind)}"


@EXACT.rule(why=_other_work)
def elementary_operations(node: Node) -> Amounts:
    """All other elementary operations."""
    application = node.application
    return {"flops": application.flops - 2 * application.macs}
