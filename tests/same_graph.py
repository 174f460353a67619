"""Whether two graphs are the same."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.ir import Graph, Node, Parameter, Value


def difference(one: Graph, other: Graph) -> str | None:
    """The first thing in which they are not the same, names and metadata included; None: nothing.

    Where a node was read from does not matter.
    """
    return next(_differences(one, other), None)


def _differences(one: Graph, other: Graph) -> Iterator[str]:
    if one.name != other.name:
        yield f"names: {one.name!r}, {other.name!r}"
    if one.metadata != other.metadata:
        yield f"metadata: {one.metadata}, {other.metadata}"
    if len(one) != len(other):
        yield f"nodes: {len(one)}, {len(other)}"
    pairs = zip(map(_described, one), map(_described, other), strict=False)
    yield from (f"{a}, {b}" for a, b in pairs if a != b)
    for name, of in (("inputs", "inputs"), ("outputs", "outputs")):
        a, b = ([_value(value) for value in getattr(graph, of)] for graph in (one, other))
        if a != b:
            yield f"{name}: {a}, {b}"
    if list(one.named_outputs) != list(other.named_outputs):
        yield f"names of outputs: {[*one.named_outputs]}, {[*other.named_outputs]}"
    if (a := _stored(one)) != (b := _stored(other)):
        yield f"parameters: {a}, {b}"


def _described(node: Node) -> tuple[object, ...]:
    inputs = [_value(value) for value in node.inputs]
    outputs = [_value(value) for value in node.outputs]
    return node.name, type(node.op), node.op, inputs, outputs, node.inplace


def _value(value: Value) -> tuple[object, ...]:
    return value.name, value.type, value.producer and value.producer.name


def _stored(graph: Graph) -> list[object]:
    """Every parameter with all its users, which say what is shared."""
    users: dict[Parameter, list[tuple[str, str]]] = {p: [] for p in graph.parameters}
    for node in graph:
        for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
            users[parameter].append((node.name, spec.name))
    return [(p.name, p.shape, p.dtype, p.trainable, used) for p, used in users.items()]
