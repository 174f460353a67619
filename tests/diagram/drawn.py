"""What every diagram must hold, whatever the network."""

from __future__ import annotations

from collections import Counter

import networkx

from archcost.diagram import Diagram
from archcost.ir import Graph


def check(drawing: Diagram, graph: Graph, *, dense: bool = False) -> None:
    """Every layer is in one box, every tensor on an edge or in a box, no edge without one.

    With ``dense`` edges may skip the boxes of concatenations.
    """
    home = {name: box.id for box in drawing.boxes for name in box.layers}
    assert sorted(home) == sorted(node.name for node in graph)
    assert sum(len(box.layers) for box in drawing.boxes) == len(graph.nodes)
    ids = [box.id for box in drawing.boxes]
    assert max(Counter([*ids, *(group.id for group in drawing.groups)]).values()) == 1

    entries = {value: f"in{index}" for index, value in enumerate(graph.inputs)}
    real: dict[tuple[str, str], int] = {}
    for value in graph.values():
        source = entries[value] if value.producer is None else home[value.producer.name]
        for reader in value.consumers:
            if home[reader.name] != source:
                real[source, home[reader.name]] = 0
        for index, output in enumerate(graph.outputs):
            if output is value:
                real[source, f"out{index}"] = 0
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    assert len(edges) == len(drawing.edges)
    loops = set(drawing.loops)
    assert real.keys() <= edges | loops
    assert dense or edges <= real.keys()

    # Only what is repeated hands anything back to itself.
    folded = {group.id: group.repeats > 1 for group in drawing.groups}
    parents = {group.id: group.parent for group in drawing.groups}
    boxes = {box.id: box for box in drawing.boxes}

    def repeated(id_: str) -> bool:
        if boxes[id_].repeats > 1:
            return True
        group = boxes[id_].group
        while group is not None:
            if folded[group]:
                return True
            group = parents[group]
        return False

    assert all(repeated(source) and repeated(target) for source, target in loops)
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(edges))
    _check_frames(drawing, edges)


def _check_frames(drawing: Diagram, edges: set[tuple[str, str]]) -> None:
    """No way leads out of a frame and back in: beside its neighbours it is drawn as one thing."""
    parents = {group.id: group.parent for group in drawing.groups}
    around = {box.id: box.group for box in drawing.boxes}

    def chain(id_: str) -> list[str]:
        """The box and the frames around it, outermost first."""
        found = [id_]
        group = around[id_]
        while group is not None:
            found.insert(0, group)
            group = parents[group]
        return found

    links: dict[str | None, networkx.DiGraph[str]] = {}
    for source, target in edges:
        ways = zip(chain(source), chain(target), strict=False)
        parent = None
        for one, other in ways:
            if one != other:
                links.setdefault(parent, networkx.DiGraph()).add_edge(one, other)
                break
            parent = one
    assert all(networkx.is_directed_acyclic_graph(link) for link in links.values())
