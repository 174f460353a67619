"""Depth: how a network is put together."""

from __future__ import annotations

from archcost.ir import Graph, Value


def depth(graph: Graph) -> int:
    """The longest path in weighted layers (convolutions, linear layers), as papers count it.

    Each layer of a stack of recurrent ones counts.
    """
    return max(depths(graph), default=0)


def depths(graph: Graph) -> list[int]:
    """For each node the longest path in weighted layers that ends with it; see :func:`depth`."""
    reached: dict[Value, int] = dict.fromkeys(graph.inputs, 0)
    levels = []
    for node in graph.nodes:
        inputs = node.inputs
        if len(inputs) == 1:
            level = reached[inputs[0]]
        else:
            level = max([reached[value] for value in inputs], default=0)
        op = node.application.op
        if op.weighted:
            level += getattr(op, "layers", 1)
        for value in node.outputs:
            reached[value] = level
        levels.append(level)
    return levels
