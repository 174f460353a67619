"""A network as a chain: steps, each of which reads only what the one before gives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from archcost.diagram.model import DiagramError
from archcost.ir import Graph, Node, Value
from archcost.report.format import exact, shortened

MOST: Final = 60
"""Characters of a name in a message."""


@dataclass(frozen=True, slots=True)
class Step:
    """One layer, or the layers of branches that come together again; ``output`` is all it gives."""

    nodes: tuple[Node, ...]
    output: Value


def chain(graph: Graph) -> tuple[Step, ...]:
    """The steps from the input to the first output, in order.

    What leads only to other outputs (the auxiliary classifiers that some networks are trained
    with) belongs to none, nor does what depends on no input.

    Raises:
        DiagramError: the network has no layers, reads several inputs, or branches so that most of
            its layers are in one step.
    """
    if not graph.nodes:
        raise DiagramError(f"{_shown(graph)} has no layers to draw")
    path = _between(graph)
    inputs = [value for value in graph.inputs if not path.isdisjoint(value.consumers)]
    if len(inputs) != 1:
        raise DiagramError(
            f"{_shown(graph)} is no chain of layers: its output depends on {len(inputs) or 'no'} "
            f"input{'s' if inputs else ''}; draw it without --style volumes"
        )
    steps = _steps(graph, path, inputs[0])
    _refuse_branches(graph, steps, inputs[0])
    return steps


def _between(graph: Graph) -> set[Node]:
    """The nodes that depend on an input and on which the first output depends."""
    reached: set[Value] = set(graph.inputs)
    after = set()
    for node in graph.nodes:
        if not reached.isdisjoint(node.inputs):
            after.add(node)
            reached.update(node.outputs)
    wanted = {graph.outputs[0]}
    path = set()
    for node in reversed(graph.nodes):
        if node in after and not wanted.isdisjoint(node.outputs):
            path.add(node)
            wanted.update(node.inputs)
    return path


def _steps(graph: Graph, path: set[Node], start: Value) -> tuple[Step, ...]:
    """Cut wherever one tensor alone is still to be read."""
    reads = Counter(value for node in path for value in set(node.inputs))
    reads[graph.outputs[0]] += 1
    waiting = {start}
    steps = []
    nodes: list[Node] = []
    for node in graph.nodes:
        if node not in path:
            continue
        nodes.append(node)
        waiting.update(value for value in node.outputs if reads[value])
        for value in set(node.inputs):
            reads[value] -= 1
            if not reads[value]:
                waiting.discard(value)
        if len(waiting) == 1:
            steps.append(Step(tuple(nodes), next(iter(waiting))))
            nodes = []
    return tuple(steps)


def _refuse_branches(graph: Graph, steps: tuple[Step, ...], start: Value) -> None:
    """Raise DiagramError where one step of several layers holds most of the network's."""
    layers = [sum(node.op.weighted for node in step.nodes) for step in steps]
    most = max(layers, default=0)
    if most < 2 or 2 * most <= sum(layers):
        return
    place = layers.index(most)
    begin = steps[place - 1].output if place else start
    end = steps[place].output.producer
    assert end is not None
    readers = sorted({repr(_shown(node)) for node in begin.consumers})
    raise DiagramError(
        f"{_shown(graph)} is no chain of layers: what {_shown(begin)!r} gives goes to "
        f"{' and '.join(readers[:3])}, whose branches come together only in {_shown(end)!r}, with "
        f"{exact(most)} of {exact(sum(layers))} weighted layers in between; draw it without "
        "--style volumes"
    )


def _shown(named: Graph | Node | Value) -> str:
    return shortened(named.name, MOST)
