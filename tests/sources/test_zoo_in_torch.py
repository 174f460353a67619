"""Every network of the zoo, executed in torch: its shapes, multiplications and parameters.

On torch's meta device nothing is computed: operators only say what they would give.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torch_execution import TorchNet

import archcost
from archcost.analysis import analyze
from archcost.ir import Graph, Node, Value


def multiplied_zeros(graph: Graph) -> int:
    """Multiplications that torch counts and archcost does not: those of the zeros of a connection
    table, whose convolution torch has only with all its weights.

    All else is counted alike. Transposed convolutions: torch's counter multiplies input elements
    by the weights that lead from them, as archcost. ``local_conv``: a product of matrices for each
    place. ``rbf`` and pools are no convolutions, linear layers or matrix products to either.
    """
    zeros = 0
    for node in graph:
        table = getattr(node.op, "connections", None)
        if table:
            links = sum(map(len, table))
            full = node.op.out * node.inputs[0].shape[1]
            zeros += node.application.macs // links * (full - links)
    return zeros


def check(graph: Graph, device: str) -> None:
    net = TorchNet(graph, device=device)
    found: dict[Value, tuple[int, ...]] = {}

    def observe(node: Node, outputs: tuple[torch.Tensor, ...]) -> None:
        found.update(zip(node.outputs, (tuple(y.shape) for y in outputs), strict=True))

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*net.inputs(), observe=observe)
    assert found == {value: value.shape for node in graph for value in node.outputs}
    totals = analyze(graph).totals
    assert counter.get_total_flops() == 2 * (totals.macs + multiplied_zeros(graph))
    # Shared parameters are one tensor.
    assert totals.params + totals.buffers == sum(t.numel() for t in net.weights.values())


@pytest.mark.parametrize("name", archcost.zoo_names())
def test_torch_executes_the_network(name: str) -> None:
    check(archcost.load(name), "meta")
