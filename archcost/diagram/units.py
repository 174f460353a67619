"""What one box stands for at the finest level: a layer and what merely follows or prepares it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from archcost.diagram.kinds import family
from archcost.ir import Graph, Node, Value

# Kinds that move values and compute nothing worth a box of their own.
_MOVES: Final = {"copy", "cast", "identity"}
_FOLLOWING: Final = {"normalization", "activation", "regularization"}
# What papers draw as layers of their own.
_ALONE: Final = {"lrn", "softmax", "log_softmax", "maxout"}


@dataclass(eq=False)
class Unit:
    """Nodes drawn as one: ``main``, and those that follow it or only prepare its inputs.

    All of its inputs from elsewhere reach ``main``, and all but what prepares them depends on
    it. So no two units can wait for each other, and the order of their mains is one in which they
    can run.
    """

    main: Node
    nodes: list[Node] = field(default_factory=list)
    """In the graph's order."""

    def beside(self) -> tuple[list[str], list[str]]:
        """Kinds of what computes something before ``main``, and after it, in order."""
        at = self.nodes.index(self.main)
        before, after = self.nodes[:at], self.nodes[at + 1 :]
        return _computing(before), _computing(after)


def _computing(nodes: Iterable[Node]) -> list[str]:
    return [node.op.kind for node in nodes if family(node.op.kind) in _FOLLOWING]


def units(graph: Graph, *, merge: bool = True) -> list[Unit]:
    """All nodes of ``graph`` in units, each of one node unless ``merge``.

    A normalisation, activation or dropout goes with the layer of its own scope that it alone
    reads; a view, copy or cast with what it is a view of, or with what alone reads it where that
    is in another scope. So do a normalisation in front of a convolution, and a weight read as a
    tensor, which have nothing before them to go with.
    """
    home: dict[Node, Unit] = {}
    found = []
    outputs = set(graph.outputs)
    for node in graph.nodes:
        unit = _before(node, home, outputs) if merge else None
        if unit is None:
            unit = Unit(node)
            found.append(unit)
        unit.nodes.append(node)
        home[node] = unit
    if merge:
        for unit in reversed(found):
            _join(unit, _reader(unit, home, outputs), home)
        for unit in found:
            _join(unit, _origin(unit, home), home)
    position = {node: index for index, node in enumerate(graph.nodes)}
    left = [unit for unit in found if unit.nodes]
    for unit in left:
        unit.nodes.sort(key=position.__getitem__)
    return sorted(left, key=lambda unit: position[unit.main])


def _moves(node: Node) -> bool:
    return node.op.view or node.op.kind in _MOVES


def _follows(node: Node) -> bool:
    kind = node.op.kind
    return family(kind) in _FOLLOWING and kind not in _ALONE


def _before(node: Node, home: dict[Node, Unit], outputs: set[Value]) -> Unit | None:
    """The unit that ``node`` goes with because it comes after it."""
    moves = _moves(node)
    if len(set(node.inputs)) != 1 or not (moves or _follows(node)):
        return None
    value = node.inputs[0]
    if value.producer is None:
        return None
    unit = home[value.producer]
    scope = unit.main.scope
    if moves:  # what a scope's result is looked at as stands behind it
        return unit if f"{scope}/".startswith(f"{node.scope}/" if node.scope else "") else None
    alone = len(value.consumers) == 1 and value not in outputs
    return unit if alone and node.scope == scope else None


def _reader(unit: Unit, home: dict[Node, Unit], outputs: set[Value]) -> Unit | None:
    """The unit that alone reads ``unit``, if ``unit`` only prepares its inputs."""
    if not all(_moves(node) or _follows(node) or not node.inputs for node in unit.nodes):
        return None
    inside = set(unit.nodes)
    values = [value for node in unit.nodes for value in node.outputs]
    readers = {reader for value in values for reader in value.consumers} - inside
    if len(readers) != 1 or not outputs.isdisjoint(values):
        return None
    (reader,) = readers
    moves = all(_moves(node) or not node.inputs for node in unit.nodes)
    return home[reader] if moves or reader.scope == unit.main.scope else None


def _origin(unit: Unit, home: dict[Node, Unit]) -> Unit | None:
    """The unit of which ``unit`` only makes views."""
    if not unit.nodes or not all(_moves(node) for node in unit.nodes):
        return None
    origins = {value.producer for node in unit.nodes for value in node.inputs} - set(unit.nodes)
    producer = origins.pop() if len(origins) == 1 else None
    return home[producer] if producer is not None else None


def _join(unit: Unit, target: Unit | None, home: dict[Node, Unit]) -> None:
    if target is not None:
        target.nodes.extend(unit.nodes)
        home.update(dict.fromkeys(unit.nodes, target))
        unit.nodes = []
