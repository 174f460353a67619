"""The numbers of a module by ptflops' backend on ATen's operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify import ptflops

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``macs`` and ``params`` of ``module`` on the graph's inputs.

    Raises:
        PtflopsError: ptflops gave up; its message.
    """
    return ptflops.count(module, graph, backend="aten")
