"""What the executed module shows: its parameters, and the shapes of all tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.ir import Graph, Shape
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch

    from archcost.targets.torch import Step


def computed(graph: Graph) -> dict[str, int]:
    """``params``, ``buffers`` and the number of ``output shapes`` of ``graph``."""
    return {
        "params": sum(p.numel for p in graph.parameters if p.trainable),
        "buffers": sum(p.numel for p in graph.parameters if not p.trainable),
        "output shapes": sum(len(node.outputs) for node in graph),
    }


def count(module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    """``params`` and ``buffers`` of ``module``, and how many ``output shapes`` are the executed
    ones.

    The number of batches that torch's normalisations have seen is no buffer to archcost.
    """
    shapes = executed_shapes(module, graph)
    return {
        "params": sum(p.numel() for p in module.parameters()),
        "buffers": sum(
            buffer.numel()
            for name, buffer in module.named_buffers()
            if not name.endswith("num_batches_tracked")
        ),
        "output shapes": sum(
            value.shape == shape
            for node in graph
            for value, shape in zip(node.outputs, shapes.get(node.name, ()), strict=False)
        ),
    }


def executed_shapes(module: torch.nn.Module, graph: Graph) -> dict[str, list[Shape]]:
    """Name of a node -> the shapes of what it gives when ``module`` is run."""
    from archcost.targets.torch import GraphModule

    assert isinstance(module, GraphModule)
    found: dict[str, list[Shape]] = {}

    def seen(step: Step) -> Step:
        def see(*outputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found[step.name] = [tuple(output.shape) for output in outputs]
            return outputs

        return step._replace(calls=(*step.calls, see))

    inputs = example_inputs(module, graph)
    steps = module.steps
    module.steps = tuple(map(seen, steps))
    try:
        with counted(module):
            module(*inputs)
    finally:
        module.steps = steps
    return found
