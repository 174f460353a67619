"""Every network of the zoo, executed in torch: its shapes, multiplications and parameters.

On torch's meta device nothing is computed: operators only say what they would give.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.analysis import analyze
from archcost.ir import Graph
from archcost.targets.torch import Step


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


@pytest.mark.parametrize("name", archcost.zoo_names())
def test_torch_executes_the_network(name: str) -> None:
    graph = archcost.load(name)
    found: dict[str, list[tuple[int, ...]]] = {}

    def seen(step: Step) -> Step:
        def see(*outputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found[step.name] = [tuple(y.shape) for y in outputs]
            return outputs

        return step._replace(calls=(*step.calls, see))

    with torch.device("meta"):
        net = archcost.to_torch(graph).eval()
        inputs = [torch.empty(value.shape) for value in graph.inputs]
    net.steps = tuple(map(seen, net.steps))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*inputs)
    assert found == {node.name: [value.shape for value in node.outputs] for node in graph}
    totals = analyze(graph).totals
    assert counter.get_total_flops() == 2 * (totals.macs + multiplied_zeros(graph))
    # Shared parameters are one tensor. Batches seen are no buffer to archcost.
    assert totals.params == sum(p.numel() for p in net.parameters())
    buffers = dict(net.named_buffers())
    counted = [b for name, b in buffers.items() if not name.endswith("num_batches_tracked")]
    assert totals.buffers == sum(b.numel() for b in counted)
