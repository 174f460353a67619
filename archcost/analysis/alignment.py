"""Two networks layer by layer: which layers are the same, which differ and in what.

Layers are aligned in the order in which the networks run, as a diff aligns the lines of two files;
:mod:`archcost.analysis.pairing` says which belong together.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from archcost.analysis.pairing import essence, pairs_of
from archcost.analysis.result import Analysis, LayerCost
from archcost.analysis.sequences import Pairs
from archcost.ir import Application, Node, Value
from archcost.ir.ops.merge import Elementwise

Status = Literal["same", "changed", "left", "right"]
"""``left`` and ``right``: only in that network."""
STATUSES: Final[tuple[Status, ...]] = ("same", "changed", "left", "right")

COSTS: Final = ("params", "buffers", "macs", "flops", "activations")
"""The numbers of a layer that are compared."""
FOLLOWING: Final = ("inputs", "outputs", "dtypes", *COSTS)
"""What changes in a layer when it is reached by other tensors."""


class Change(NamedTuple):
    """What differs between two layers, and its value in each.

    ``field`` is ``op`` (the operator's kind); one of the operator's arguments (None where it is not
    given or there is none); ``reads`` (the names of the tensors it reads, where they are not each
    other's partners); ``inputs`` or ``outputs`` (shapes); ``dtypes`` (of the inputs, then of the
    outputs); or one of :data:`COSTS`.
    """

    field: str
    left: Any
    right: Any


class Aligned(NamedTuple):
    """Two layers that belong together and how they differ, or one layer that has no partner."""

    left: LayerCost | None
    right: LayerCost | None
    changes: tuple[Change, ...] = ()

    @property
    def status(self) -> Status:
        if self.left is None:
            return "right"
        if self.right is None:
            return "left"
        return "changed" if self.changes else "same"

    @property
    def paired(self) -> bool:
        return self.left is not None and self.right is not None

    @property
    def own(self) -> tuple[Change, ...]:
        """The changes that are not the mere result of other tensors reaching the layer."""
        fields = {change.field for change in self.changes}
        if fields.isdisjoint(("inputs", "dtypes")):
            return self.changes
        return tuple([change for change in self.changes if change.field not in FOLLOWING])

    @property
    def follows(self) -> bool:
        """Whether it is changed by nothing but the tensors that reach it."""
        return bool(self.changes) and not self.own


class Alignment:
    """The layers of two networks side by side.

    Each layer is in one row, in the order of its network. Between two pairs what is only left
    comes before what is only right.
    """

    def __init__(self, left: Analysis, right: Analysis, rows: tuple[Aligned, ...]) -> None:
        self.left = left
        self.right = right
        self.rows = rows

    @cached_property
    def counts(self) -> dict[Status, int]:
        """How many rows have each status."""
        found = Counter([row.status for row in self.rows])
        return {status: found[status] for status in STATUSES}

    @cached_property
    def follows(self) -> int:
        """How many of the changed layers are changed only by the tensors that reach them."""
        return sum([row.follows for row in self.rows])

    def __repr__(self) -> str:
        names = f"{self.left.graph.name}, {self.right.graph.name}"
        return f"<alignment of {names}: {self.counts}>"


def align(left: Analysis, right: Analysis) -> Alignment:
    """Align two networks.

    ``align(right, left)`` has the same pairs, the other way round. Two equal networks have nothing
    but layers that are the same.
    """
    pairs = pairs_of(left.graph.nodes, right.graph.nodes)
    origins = _origins(left, right, pairs)
    rows: list[Aligned] = []
    at = other = 0
    for index, partner in [*pairs, (len(left.layers), len(right.layers))]:
        rows += [Aligned(layer, None) for layer in left.layers[at:index]]
        rows += [Aligned(None, layer) for layer in right.layers[other:partner]]
        if index < len(left.layers):
            rows.append(_compared(left.layers[index], right.layers[partner], origins))
        at, other = index + 1, partner + 1
    return Alignment(left, right, tuple(rows))


_Origins = dict[Value, tuple[int, int]]
"""Where tensors come from, in numbers that partners share: the pair's, and the output's in it."""


def _origins(left: Analysis, right: Analysis, pairs: Pairs) -> _Origins:
    origins: _Origins = {}
    for graph in (left.graph, right.graph):
        origins.update((value, (-1, index)) for index, value in enumerate(graph.inputs))
    for number, (index, partner) in enumerate(pairs):
        for node in (left.graph.nodes[index], right.graph.nodes[partner]):
            origins.update((value, (number, place)) for place, value in enumerate(node.outputs))
    return origins


def _compared(left: LayerCost, right: LayerCost, origins: _Origins) -> Aligned:
    changes = _arguments(left.node.application, right.node.application)
    changes += _reads(left.node, right.node, origins)
    for field in FOLLOWING:
        values = [
            _dtypes(layer) if field == "dtypes" else getattr(layer, field)
            for layer in (left, right)
        ]
        if values[0] != values[1]:
            changes.append(Change(field, *values))
    return Aligned(left, right, tuple(changes))


def _arguments(one: Application, other: Application) -> list[Change]:
    left, right = one.op, other.op
    if left == right or essence(one) == essence(other):
        return []
    if type(left) is type(right):  # all of them: a default may stand against what was given
        names = [field.name for field in left._fields if field.name != left.named_by]
        values = [{name: getattr(op, name) for name in names} for op in (left, right)]
        if "kernel" in names and "stride" in names:  # a pool's windows without a stride touch
            for its in values:
                its["stride"] = its["stride"] or its["kernel"]
    else:
        values = [op.settings() for op in (left, right)]
        names = list(dict.fromkeys([*values[0], *values[1]]))
    sides = [{"op": op.kind, **its} for op, its in zip((left, right), values, strict=True)]
    found = [Change(name, *(side.get(name) for side in sides)) for name in ("op", *names)]
    return [change for change in found if change.left != change.right]


def _reads(left: Node, right: Node, origins: _Origins) -> list[Change]:
    """What they read, if it is certainly not each other's partner.

    What is read of a layer without partner may stand for anything: that layer is told of itself.
    Another number of inputs shows in their shapes.
    """
    one, other = ([origins.get(value) for value in node.inputs] for node in (left, right))
    if len(one) != len(other):
        return []
    if isinstance(left.op, Elementwise):  # which it reads first makes no difference
        known = [Counter(filter(None, side)) for side in (one, other)]
        changed = (known[0] - known[1]).total() > other.count(None)
        changed = changed or (known[1] - known[0]).total() > one.count(None)
    else:
        changed = any(a and b and a != b for a, b in zip(one, other, strict=True))
    if not changed:
        return []
    return [Change("reads", *(tuple([v.name for v in node.inputs]) for node in (left, right)))]


def _dtypes(layer: LayerCost) -> tuple[str, ...]:
    application = layer.node.application
    return tuple([type_.dtype for type_ in (*application.inputs, *application.outputs)])
