"""fvcore's own numbers of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``macs``, ``activations`` and ``params`` of ``module`` on the graph's inputs.

    It traces the module, which PyTorch cannot do with convolutions on the meta device.
    """
    inputs = example_inputs(module, graph)
    with counted(module):
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

        return {
            "macs": int(FlopCountAnalysis(module, inputs).total()),
            "activations": int(ActivationCountAnalysis(module, inputs).total()),
            "params": parameter_count(module)[""],
        }
