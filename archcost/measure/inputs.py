"""Random inputs for a forward pass, none of which is zero or points past the end of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from archcost.ir import FLOATS, Graph, Node, Value
from archcost.ir.ops.indexing import Gather, Index, IndexPut, IndexSelect, Scatter
from archcost.ir.ops.linear import Embedding, EmbeddingBag
from archcost.ir.types import INTEGERS, NUMPY_NAMES

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BYTES: Final = 256
"""Values of a uint8 that nothing is looked up with: an image's."""


def random_inputs(graph: Graph, device: str | torch.device = "cpu", seed: int = 0) -> list[Tensor]:
    """Inputs of the graph: numbers from a normal distribution, integers that every table which is
    looked up with them has. None is zero where it has a choice: a zero can mask, pad or be skipped.

    Integers that nothing is looked up with are ones, as masks are, and bytes those of an image;
    the beginnings of bags are evenly spread. The same for the same ``seed``, device and graph.
    """
    import torch

    generator = torch.Generator(device=device).manual_seed(seed)
    return [_tensor(value, generator) for value in graph.inputs]


def _tensor(value: Value, generator: torch.Generator) -> Tensor:
    import torch

    dtype = getattr(torch, NUMPY_NAMES[value.type.dtype])
    shape, device = value.shape, generator.device
    if value.type.dtype in FLOATS or dtype.is_complex:
        # Drawn in fp32 where it is one of fewer bits: the same numbers in all of them.
        wide = dtype if dtype.is_complex or dtype == torch.float64 else torch.float32
        x = torch.randn(shape, generator=generator, device=device, dtype=wide)
        return torch.where(x == 0, 1, x).to(dtype)
    if value.type.dtype == "bool":
        return torch.ones(shape, device=device, dtype=dtype)
    if (bags := _indices_in_bags(value)) is not None:
        return torch.arange(shape[0], device=device, dtype=dtype) * bags // shape[0]
    most = min(_limits(value), default=BYTES if value.type.dtype == "uint8" else 2)
    least = min(1, most - 1)
    x = torch.randint(least, most, shape, generator=generator, device=device)
    return x.to(dtype)


def _indices_in_bags(value: Value) -> int | None:
    """How many indices there are whose bags begin where ``value`` says; None where it does not."""
    for node in value.consumers:
        if node.op.kind == "embedding_bag" and node.inputs[-1] is value is not node.inputs[0]:
            return node.inputs[0].shape[0]
    return None


def _limits(value: Value) -> Iterator[int]:
    """The size of every table that is looked up with ``value``, or with integers made of it."""
    reached, waiting = {value}, [value]
    while waiting:
        one = waiting.pop()
        for node in one.consumers:
            yield from _tables(node, one)
            for made in node.outputs:
                if made.type.dtype in INTEGERS and made not in reached:
                    reached.add(made)
                    waiting.append(made)


def _tables(node: Node, value: Value) -> Iterator[int]:
    """The size of what ``node`` looks up with ``value``."""
    op, first = node.op, node.inputs[0]
    if isinstance(op, Embedding | EmbeddingBag):
        yield op.count
    elif value in node.inputs[1:]:
        if isinstance(op, Gather | IndexSelect | Scatter):
            yield first.shape[op.dim]
        elif isinstance(op, Index | IndexPut):
            yield min(first.shape[dim] for dim in op.dims)
