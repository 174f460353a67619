"""torchinfo's own numbers of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """The totals of ``torchinfo.summary`` for ``module`` on the graph's inputs."""
    inputs = example_inputs(module, graph)
    with counted(module):
        import torchinfo.torchinfo

        totals = torchinfo.summary(module, input_data=inputs, verbose=0)
        # It keeps the last module of each class, whether asked to or not.
        torchinfo.torchinfo.clear_cached_forward_pass()
    return {
        "macs": totals.total_mult_adds,
        "params": totals.total_params,
        "param_bytes": totals.total_param_bytes,
        "output_bytes": totals.total_output_bytes,
    }
