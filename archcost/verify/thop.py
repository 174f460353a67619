"""THOP's own numbers of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``macs`` and ``params`` of ``module`` on the graph's inputs, as ``thop.profile`` gives them.

    Its floats are integers below 2^53, where all are exact.
    """
    inputs = example_inputs(module, graph)
    with counted(module):
        import thop

        macs, params = thop.profile(module, inputs=inputs, verbose=False)
    return {"macs": int(macs), "params": int(params)}
