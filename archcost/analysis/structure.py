"""Depth and connections: how a network is put together."""

from __future__ import annotations

from math import prod

from archcost.ir import Graph, Node, Value


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


def connections(node: Node) -> int:
    """Connections that end in a node's outputs, in the sense of LeCun et al. (1998).

    A unit has a connection for each input that it weighs or sums, and one for its bias: for a
    convolution or linear layer MACs and biases, for a pool the elements of its windows, for a
    trainable coefficient and bias only the bias, since the coefficient weighs the sum of links
    already counted. Squashing functions have none.
    """
    op, work = node.op, node.application.work
    outputs = node.outputs[0].type.numel
    if op.kind == "scale_shift":
        return work.add
    if op.kind.endswith("_pool"):
        kernel: int | tuple[int, ...] | None = getattr(op, "kernel", None)
        if kernel is None:
            return node.inputs[0].type.numel
        rank = len(node.inputs[0].shape) - 2
        return outputs * prod((kernel,) * rank if isinstance(kernel, int) else kernel)
    if op.kind == "rbf":
        return outputs * node.inputs[0].shape[-1]
    if work.mac:
        bias = any(spec.name == "bias" for spec in node.application.parameters)
        return work.mac + (outputs if bias else 0)
    return 0
