"""What a published number speaks of: a quantity of a network, or of a part of it, somehow counted.

A :class:`Measure` is data; :meth:`Measure.value` is the number that archcost computes for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from typing import Any, Final

from archcost.analysis import depth
from archcost.analysis.storage import packed_bytes
from archcost.conventions import convention
from archcost.ir import Graph, Node, Op
from archcost.ir.ops.convolution import Conv, DepthwiseConv
from archcost.published.files import PublishedError
from archcost.sources import load

EXAMPLES: Final = Path(__file__).parent / "networks"
"""Networks that only a worked example speaks of, as specs."""

Nodes = tuple[Node, ...] | None
"""some nodes; None: all of the graph"""

_NAMED_IN: Final = {"macs": "mult-adds", "connections": "lecun-1998"}
"""quantity -> the convention that it is a word of; others are words of ``exact``"""

RELATIONS: Final = ("ratio", "decrease", "increase")


@dataclass(frozen=True)
class Measure:
    """A quantity of a network; the keys are described in ``tables/README.md``."""

    model: str
    quantity: str
    convention: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    layer: str | tuple[str, ...] | None = None
    only: dict[str, Any] | None = None
    without: tuple[str, ...] = ()
    grouped: bool = True
    bits: int = 32
    times: float = 1
    per: dict[str, int] = field(default_factory=dict)
    relation: str | None = None
    to: dict[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(json.dumps(asdict(self), sort_keys=True))

    @property
    def under(self) -> str:
        """The convention: its own, else that which the quantity is named in."""
        return self.convention or _NAMED_IN.get(self.quantity, "exact")

    def changed(self, changes: Mapping[str, Any]) -> Measure:
        """The measure with other values for some keys, as a document writes them.

        Settings are added to those there are.

        Raises:
            PublishedError: a key is unknown, or its value not of its kind.
        """
        try:
            values = dict(changes)
            if "set" in values:
                values["settings"] = {**self.settings, **values.pop("set")}
            for key in ("input", "without"):
                if values.get(key) is not None:
                    values[key] = tuple(values[key])
            if isinstance(values.get("layer"), list):
                values["layer"] = tuple(values["layer"])
            return replace(self, **values)
        except (TypeError, ValueError) as error:
            raise PublishedError(f"{error} in {changes!r:.200}") from None

    def value(self) -> Fraction:
        """archcost's number, in single units, bytes or, for a relation, as a plain number.

        Raises:
            PublishedError: the network has no such layer, quantity or relation.
            ArchcostError: the network cannot be had with these settings and input.
        """
        amount = Fraction(_counted(replace(self, per={}, relation=None, to={}, times=1)))
        amount *= Fraction(str(self.times))
        if self.per:
            amount /= prod(self._setting(name) ** power for name, power in self.per.items())
        if self.relation is None:
            return amount
        base = replace(self, relation=None, to={}).changed(self.to).value()
        if self.relation == "ratio":
            return amount / base
        if self.relation == "decrease":
            return 1 - amount / base
        if self.relation == "increase":
            return amount / base - 1
        raise PublishedError(f"no relation {self.relation!r}; there are {', '.join(RELATIONS)}")

    def graph(self) -> Graph:
        """The network that it speaks of, with the changes it asks for."""
        return _graph(self._network)

    def nodes(self) -> Nodes:
        """The nodes that it speaks of; None: all.

        Raises:
            PublishedError: there are none.
        """
        if self.layer is None and self.only is None:
            return None
        chosen: Sequence[Node] = self.graph().nodes
        if self.layer is not None:
            scopes = (self.layer,) if isinstance(self.layer, str) else self.layer
            for scope in scopes:
                if not any(_within(node, scope) for node in chosen):
                    raise PublishedError(f"{self.model} has no layer {scope!r}")
            chosen = [node for node in chosen if any(_within(node, s) for s in scopes)]
        if self.only is not None:
            chosen = [node for node in chosen if _is(node, self.only)]
        if not chosen:
            raise PublishedError(f"{self.model} has no layer with {self.only!r}")
        return tuple(chosen)

    @property
    def _network(self) -> str:
        """What :func:`_graph` needs to know, as a key."""
        return json.dumps(
            [self.model, self.settings, self.input, self.without, self.grouped],
            sort_keys=True,
        )

    def _setting(self, name: str) -> Fraction:
        try:
            return Fraction(self.settings[name])
        except KeyError:
            raise PublishedError(f"per: {name} is not set") from None


def _within(node: Node, scope: str) -> bool:
    return node.name == scope or node.name.startswith(f"{scope}/")


def _is(node: Node, wanted: Mapping[str, Any]) -> bool:
    """Whether the node's operator is of the kinds ``op`` and has the other arguments."""
    arguments = dict(wanted)
    kinds = arguments.pop("op", node.op.kind)
    return node.op.kind in ([kinds] if isinstance(kinds, str) else kinds) and all(
        getattr(node.op, name, None) == value for name, value in arguments.items()
    )


@cache
def _examples() -> dict[str, Path]:
    return {path.stem: path for path in EXAMPLES.glob("*.yaml")}


@lru_cache(maxsize=256)
def _graph(network: str) -> Graph:
    model, settings, shape, without, grouped = json.loads(network)
    graph = load(_examples().get(model, model), settings=settings, inputs=shape)
    if without:
        missing = set(without) - {node.op.kind for node in graph}
        if missing:
            raise PublishedError(f"{model} has no {', '.join(sorted(missing))} to leave out")
        graph = graph.rewritten(lambda node: None if node.op.kind in without else node.op)
    return graph if grouped else graph.rewritten(_ungrouped)


def _ungrouped(node: Node) -> Op:
    op = node.op
    if isinstance(op, DepthwiseConv):
        op = op.grouped(node.inputs[0].type)
    if isinstance(op, Conv) and op.groups > 1:
        return Conv(**{**op.settings(), "groups": 1})
    return op


@lru_cache(maxsize=4096)
def _counted(measure: Measure) -> int:
    graph, nodes, quantity = measure.graph(), measure.nodes(), measure.quantity
    if measure.under == "exact" and quantity in _OWN:
        return _OWN[quantity](graph, nodes, measure)
    numbers = convention(measure.under).count(graph, nodes).numbers
    if quantity not in numbers:
        raise PublishedError(f"{measure.under} counts no {quantity!r}")
    return numbers[quantity]


def _storage(graph: Graph, nodes: Nodes, measure: Measure) -> int:
    chosen = dict.fromkeys(p for node in nodes or graph.nodes for p in node.parameters)
    params = sum(p.numel for p in chosen if p.trainable)
    return packed_bytes(params, sum(p.numel for p in chosen) - params, measure.bits)


def _depth(graph: Graph, nodes: Nodes, measure: Measure) -> int:
    if nodes is None:
        return depth(graph)
    return sum(node.op.weighted for node in nodes)


def _input_elements(graph: Graph, nodes: Nodes, measure: Measure) -> int:
    first = graph.inputs if nodes is None else nodes[0].inputs
    return sum(value.type.numel for value in first)


_OWN: Final = {
    "storage_bytes": _storage,
    "depth": _depth,
    "input_elements": _input_elements,
}
"""What a network has whatever the convention."""
