"""Depth: how a network is put together."""

from __future__ import annotations

from archcost.ir import Graph, Value


def depth(graph: Graph) -> int:
    """The longest path in weighted layers (convolutions, linear layers), as papers count it."""
    reached: dict[Value, int] = dict.fromkeys(graph.inputs, 0)
    deepest = 0
    for node in graph.nodes:
        level = reached[node.inputs[0]]
        if len(node.inputs) > 1:
            level = max([reached[value] for value in node.inputs])
        level += node.application.op.weighted
        for value in node.outputs:
            reached[value] = level
        if level > deepest:
            deepest = level
    return deepest
