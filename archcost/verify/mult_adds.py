"""Mult-adds and parameters of the executed module; FlopCounterMode counts twice the former."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archcost.ir import Graph
from archcost.verify.torch import count as count_flops

if TYPE_CHECKING:
    import torch


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``macs`` and ``params`` of ``module`` on the graph's inputs.

    A convolution with a table of connections runs with a dense kernel; the products with the
    zeros that fill it up, which the program counts, are taken off, as the module has them.
    """
    from archcost.targets.torch_modules import TableConv

    zeros = 0

    def see(table: TableConv, _inputs: object, output: torch.Tensor) -> None:
        nonlocal zeros
        batch, _, *places = output.shape
        zeros += (prod(table.dense) - table.weight.numel()) * batch * prod(places)

    tables = [each for each in module.modules() if isinstance(each, TableConv)]
    hooks = [table.register_forward_hook(see) for table in tables]
    try:
        counted = count_flops(module, graph)["flops"]
    finally:
        for hook in hooks:
            hook.remove()
    return {"macs": counted // 2 - zeros, "params": sum(p.numel() for p in module.parameters())}
