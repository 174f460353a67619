"""The number of PyTorch's own FlopCounterMode for a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``flops`` of one forward pass of ``module`` on the graph's inputs."""
    inputs = example_inputs(module, graph)
    with counted(module):
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            module(*inputs)
    return {"flops": counter.get_total_flops()}
