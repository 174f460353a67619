"""Scopes of a graph as bodies of modules: what is done in each, in which order, to which values."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import nn

from archcost.ir import Graph, Node, Parameter, Value
from archcost.targets.torch_code import names
from archcost.targets.torch_code.constructions import construction
from archcost.targets.torch_code.templates import (
    ATOM,
    Attribute,
    Construction,
    Operand,
    Piece,
    Primitive,
    primitives,
)
from archcost.targets.torch_operators import DTYPES

if TYPE_CHECKING:
    import networkx

Calls = Mapping[Node, Sequence[Callable[..., Any]]]
Ref = tuple[int, int]
"""A value in a body: (step, which of its results), or (~n, 0) for the body's n-th input."""


@dataclass(eq=False)
class Tree:
    """A scope, or a node at the end of a branch."""

    name: str
    nodes: list[Node]
    children: list[Tree]
    path: str = ""
    """The scopes around it."""

    @property
    def leaf(self) -> bool:
        return not self.children


@dataclass(eq=False)
class Step:
    """One line of a body's forward pass."""

    name: str
    label: str
    pieces: tuple[Piece, ...]
    tight: int
    inputs: tuple[Ref, ...]
    results: int
    constants: list[Any]
    module: Construction | None = None
    shared: int | None = None
    """The number of the module among those that several steps use, which ``module`` makes."""
    body: Body | None = None
    """What it does, if it is a scope."""
    nodes: tuple[Node, ...] = ()
    optional: bool = False
    """Whether there are bodies of its kind that go without it, and"""
    absent: bool = False
    """whether this is one of them."""
    flag: str = ""
    """The argument that says so."""
    loop: int = 1
    """How many steps it stands for, one after the other."""
    part: bool = False
    """Whether it only takes something out of what another gave."""

    @property
    def plain(self) -> bool:
        """Whether it is a module called on one value to give one."""
        return self.results == 1 and self.pieces == CALL_ON_ONE


DEEPEST: Final = 32
"""The most scopes within one another; a name with more goes on as one."""
DEVICE: Final = 1 << 30
"""In place of a node's input: whatever the scope is given first."""
CALL_ON_ONE: Final = ("self.", Attribute(), "(", Operand(0, 0), ")")


@dataclass(eq=False)
class Body:
    """What is done in a scope."""

    name: str
    steps: list[Step]
    inputs: list[Value]
    results: list[Value] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    owned: dict[int, Construction] = field(default_factory=dict)
    """The shared modules that it makes, by number."""
    received: list[int] = field(default_factory=list)
    """Those that it is given."""
    path: str = ""
    """The scopes around it."""

    @property
    def chain(self) -> bool:
        """Whether each step is a module that takes what the one before gave."""
        wanted: Ref = (~0, 0)
        for at, step in enumerate(self.steps):
            if not step.plain or step.inputs != (wanted,):
                return False
            wanted = (at, 0)
        return len(self.inputs) == 1 and self.outputs == [wanted]


def body_of(graph: Graph, calls: Calls) -> tuple[Body, list[Tie]]:
    """The whole network, and the parameters that its modules share."""
    root = _tree(graph)
    # An identity is none: it is left out.
    holders = {
        node
        for node in graph
        if any(isinstance(c, nn.Module) and not isinstance(c, nn.Identity) for c in calls[node])
    }
    _settle(root, holders, set(graph.outputs))
    bodies = _Bodies(graph, calls, root)
    return bodies.body(root), bodies.ties


# --- the tree of scopes --------------------------------------------------------------------------


def _tree(graph: Graph) -> Tree:
    root = Tree("", [], [])
    scopes = {"": root}

    def scope(path: str) -> Tree:
        if path not in scopes:
            above, _, name = path.rpartition("/")
            parent = scope(above)
            scopes[path] = Tree(name, [], [], above)
            parent.children.append(scopes[path])
        return scopes[path]

    for node in graph:
        first, *rest = node.name.split("/", DEEPEST)
        above, _, name = "/".join([first, *(part.replace("/", "_") for part in rest)]).rpartition(
            "/"
        )
        scope(above).children.append(Tree(name, [node], []))
        while above:
            scopes[above].nodes.append(node)
            above = above.rpartition("/")[0]
    root.nodes = list(graph)
    return root


def _settle(tree: Tree, holders: set[Node], kept: set[Value]) -> None:
    """Dissolve the scopes under ``tree`` that cannot be modules, or are none worth it: those that
    others run in the midst of, without any module, of one child, or of which nobody reads anything.
    """
    pending = True
    while pending:
        pending = False
        tangled = _tangled(tree)
        children: list[Tree] = []
        for child in tree.children:
            if child.leaf:
                children.append(child)
            elif child in tangled or holders.isdisjoint(child.nodes) or _idle(child, kept):
                pending = True
                for inner in child.children:
                    inner.name = f"{child.name}_{inner.name}"
                    children.append(inner)
            else:
                children.append(child)
        tree.children = children
    for at, child in enumerate(tree.children):
        if not child.leaf:
            _settle(child, holders, kept)
            if len(child.children) == 1:
                (only,) = child.children
                only.name = child.name
                tree.children[at] = only


def _idle(tree: Tree, kept: set[Value]) -> bool:
    """Whether nothing of what it makes is read elsewhere, or is one of ``kept``."""
    inside = set(tree.nodes)
    made = [value for node in tree.nodes for value in node.outputs]
    return kept.isdisjoint(made) and all(inside.issuperset(value.consumers) for value in made)


def _links(tree: Tree) -> networkx.DiGraph[int]:
    """Which of its children read what which other gives, by their places."""
    import networkx

    home = {node: at for at, child in enumerate(tree.children) for node in child.nodes}
    links: networkx.DiGraph[int] = networkx.DiGraph()
    links.add_nodes_from(range(len(tree.children)))
    for node, at in home.items():
        for value in node.inputs:
            made = home.get(value.producer) if value.producer else None
            if made is not None and made != at:
                links.add_edge(made, at)
    return links


def _tangled(tree: Tree) -> list[Tree]:
    """Scopes that both feed one another: as modules neither could run first."""
    from networkx import strongly_connected_components

    groups = strongly_connected_components(_links(tree))
    return [tree.children[at] for group in groups if len(group) > 1 for at in group]


def _schedule(tree: Tree, position: Mapping[Node, int]) -> list[Tree]:
    """Its children in an order in which they can run, the graph's wherever that is one."""
    links = _links(tree)
    waiting = {at: links.in_degree(at) for at in links}
    first = [position[child.nodes[0]] for child in tree.children]
    ready = [(first[at], at) for at, count in waiting.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, at = heapq.heappop(ready)
        order.append(tree.children[at])
        for after in links.successors(at):
            waiting[after] -= 1
            if not waiting[after]:
                heapq.heappush(ready, (first[after], after))
    return order


# --- from scopes to bodies -----------------------------------------------------------------------


class _Bodies:
    def __init__(self, graph: Graph, calls: Calls, root: Tree) -> None:
        self.graph, self.root = graph, root
        self.calls = calls
        self.position = {node: at for at, node in enumerate(graph)}
        self.kept = set(graph.outputs)
        self.shared, self.ties = _shared(graph, calls)
        self.users: dict[int, set[Node]] = {}
        for node, number in self.shared.items():
            self.users.setdefault(number, set()).add(node)
        self.makings: dict[int, Construction] = {}
        self.dtype = one_dtype(graph)

    def body(self, tree: Tree) -> Body:
        """The body of a scope."""
        inside = set(tree.nodes)
        whole = tree is self.root
        order = _schedule(tree, self.position)
        reads = (value for child in order for node in child.nodes for value in node.inputs)
        inputs = list(
            self.graph.inputs
            if whole
            else dict.fromkeys(value for value in reads if value.producer not in inside)
        )
        body = Body(tree.name, [], inputs, path=tree.path)
        refs: dict[Value, Ref] = {value: (~at, 0) for at, value in enumerate(inputs)}
        for child in order:
            if child.leaf:
                self._leaf(child, refs, body.steps, bool(inputs))
            else:
                self._scope(child, refs, body.steps)
        body.results = list(
            self.graph.outputs
            if whole
            else [v for v in refs if v.producer in inside and self._leaves(v, inside)]
        )
        if not whole:  # what comes out last is what people hand on first
            last = body.results[-1].producer
            body.results.sort(key=lambda value: value.producer is not last)
        body.outputs = [refs[value] for value in body.results]
        taken: set[str] = set()
        for step in body.steps:
            step.name = names.free(step.name, taken)
            taken.add(step.name)
        self._divide(body, inside)
        return body

    def _leaves(self, value: Value, inside: set[Node]) -> bool:
        return value in self.kept or not inside.issuperset(value.consumers)

    def _leaf(
        self, tree: Tree, refs: dict[Value, Ref], steps: list[Step], placed_by_input: bool
    ) -> None:
        (node,) = tree.nodes
        if any(isinstance(call, nn.Identity) for call in self.calls[node]):
            refs[node.outputs[0]] = refs[node.inputs[0]]
            return
        written = primitives(node, self.calls[node])
        first = len(steps)

        def placed(ref: Ref) -> Ref:
            at, which = ref
            if at == DEVICE:
                return (~0, 0)
            return (first + ~at, which) if at < 0 else refs[node.inputs[at]]

        if not node.inputs and placed_by_input:
            _place(written.primitives[0])
        for part in written.primitives:
            made = None if part.module is None else construction(node, part.module)
            if made is not None and self.dtype is None:
                made.suffix = _suffix(node)
            # A flattening before a linear layer is a module of its own.
            extra = part.module is not None and part.module not in self.calls[node]
            number = None if extra or made is None else self.shared.get(node)
            if number is not None and made is not None:
                self.makings.setdefault(number, made)
            prefix = "conv" if node.op.kind.endswith("conv") else node.op.kind
            steps.append(
                Step(
                    _extra_name(part) if extra else names.legal(tree.name, prefix),
                    "" if extra else tree.name,
                    part.pieces,
                    part.tight,
                    tuple(placed(ref) for ref in part.inputs),
                    part.results,
                    part.constants,
                    made,
                    shared=number,
                    part=part.part,
                    nodes=() if extra else (node,),
                )
            )
        for value, ref in zip(node.outputs, written.outputs, strict=True):
            refs[value] = placed(ref)

    def _scope(self, tree: Tree, refs: dict[Value, Ref], steps: list[Step]) -> None:
        body = self.body(tree)
        operands: list[Piece] = []
        for place in range(len(body.inputs)):
            operands += [", ", Operand(place, 0)] if place else [Operand(place, 0)]
        convs = sum(node.op.kind.endswith("conv") for node in tree.nodes)
        refs.update({value: (len(steps), which) for which, value in enumerate(body.results)})
        steps.append(
            Step(
                names.legal(tree.name, "conv" if convs == 1 else "branch"),
                tree.name,
                ("self.", Attribute(), "(", *operands, ")"),
                ATOM,
                tuple(refs[value] for value in body.inputs),
                len(body.outputs),
                [],
                body=body,
                nodes=tuple(tree.nodes),
            )
        )

    def _divide(self, body: Body, inside: set[Node]) -> None:
        """Which shared modules ``body`` makes, and which it is given."""
        wanted: dict[int, None] = {}
        for step in body.steps:
            if step.shared is not None:
                wanted[step.shared] = None
            if step.body is not None:
                wanted.update(dict.fromkeys(step.body.received))
        for number in wanted:
            if self.users[number] <= inside:
                body.owned[number] = self.makings[number]
            else:
                body.received.append(number)


def _suffix(node: Node) -> str:
    """What gives a module weights in another dtype than it is made with."""
    dtypes = {DTYPES[parameter.dtype] for parameter in node.parameters if node.op.kind != "weight"}
    dtypes.discard(torch.float32)
    return f".to({dtypes.pop()})" if dtypes else ""


def _place(part: Primitive) -> None:
    """Let the tensor that ``part`` makes of nothing be where the scope's first input is."""
    if part.module is None:
        *pieces, end = part.pieces
        assert isinstance(end, str)
        device: list[Piece] = [end.removesuffix(")") + ", device=", Operand(0, ATOM), ".device)"]
        part.pieces, part.inputs = (*pieces, *device), [(DEVICE, 0)]


def one_dtype(graph: Graph) -> str | None:
    """The dtype of the weights, if it is the same for all."""
    dtypes = {parameter.dtype for node in graph for parameter in node.parameters}
    return dtypes.pop() if len(dtypes) == 1 else None


def _extra_name(part: Primitive) -> str:
    return "flatten" if isinstance(part.module, nn.Flatten) else "pad"


class Tie(NamedTuple):
    """The parameter ``name`` of ``node``'s module is ``other_name`` of ``other``'s."""

    node: Node
    name: str
    other: Node
    other_name: str


def _shared(graph: Graph, calls: Calls) -> tuple[dict[Node, int], list[Tie]]:
    """Nodes that are one module, by its number; parameters that modules share otherwise."""
    if not graph.shares:
        return {}, []
    groups: dict[tuple[Any, ...], list[Node]] = {}
    for node in graph:
        if node.parameters:
            (made,) = (
                construction(node, call) for call in calls[node] if isinstance(call, nn.Module)
            )
            key = (*node.parameters, repr(made))
            groups.setdefault(key, []).append(node)
    numbers = {}
    for number, nodes in enumerate(nodes for nodes in groups.values() if len(nodes) > 1):
        numbers.update(dict.fromkeys(nodes, number))
    first: dict[Parameter, tuple[Node, str]] = {}
    ties = []
    for node, *_ in groups.values():
        for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
            if parameter in first:
                ties.append(Tie(node, spec.name, *first[parameter]))
            else:
                first[parameter] = (node, spec.name)
    return numbers, ties
