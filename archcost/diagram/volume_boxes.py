"""Which tensors of a chain are drawn, what they are called, and which stand for several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Final

from archcost.analysis import Analysis, LayerCost
from archcost.diagram.chain import Step, chain
from archcost.diagram.kinds import operation
from archcost.diagram.volume_model import BLOCK, INPUT, Repeat, Volume
from archcost.ir import Node, Shape, Value
from archcost.report.format import shortened
from archcost.report.palette import LayerKind, layer_kind

LONGEST_NAME: Final = 18
LONGEST_WHAT: Final = 40
LONGEST_PERIOD: Final = 8
"""The most neighbours that are looked at as one member of a run of repeats."""

# Layers that make a feature map of their own, even of the shape of the one before.
_MAKING: Final = {
    "convolution",
    "depthwise convolution",
    "fully connected",
    "pooling",
    "attention, recurrence",
}
# Part of how the next layer reads its input.
_MARGINS: Final = {"pad", "pad_all", "crop"}
# What specs and frameworks call the one layer that a scope is there for.
_OWN_NAMES: Final = {"conv", "linear", "fc"}
_MERGES: Final = {"sum": "residual", "add": "residual", "concat": "concat"}


def boxes(analysis: Analysis) -> list[Volume]:
    """The input and every feature map that is made from it, without places.

    Raises:
        DiagramError: the network is no chain.
    """
    steps = chain(analysis.graph)
    rows = {row.node: row for row in analysis.layers}
    alive = dict(zip(analysis.graph.nodes, analysis.memory.timeline, strict=True))
    (start,) = {value for value in analysis.graph.inputs if steps[0].nodes[0] in value.consumers}
    scopes = Counter(
        scope for step in steps if _is_drawn(step) for scope in _scopes(step.nodes[0].name)
    )
    found = [_volume(shortened(start.name, LONGEST_NAME), "", INPUT, start.shape)]
    nodes: list[list[Node]] = [[]]  # of each box; those before the first belong to the input
    for step in steps:
        if _is_drawn(step):
            before = step.nodes[0].inputs[0].shape
            main = step.nodes[0] if len(step.nodes) == 1 else None
            found.append(
                _volume(
                    _name(step, scopes),
                    _what(step, before),
                    layer_kind(main.op) if main else BLOCK,
                    step.output.shape,
                    _kernel(main) if main else None,
                )
            )
            nodes.append([])
        nodes[-1] += step.nodes
    costs = [[], *([rows[node] for node in its] for its in nodes[1:])]
    return [
        _costing(volume, own, max([alive[node] for node in its], default=0))
        for volume, own, its in zip(found, costs, nodes, strict=True)
    ]


def _is_drawn(step: Step) -> bool:
    """Whether a step makes a feature map of its own, rather than work over the one before."""
    (*_, last) = step.nodes
    first = step.nodes[0]
    if any(node.op.weighted for node in step.nodes):
        return True
    if len(step.nodes) == 1 and (last.op.view or last.op.kind in _MARGINS):
        return False
    kinds = {layer_kind(node.op) for node in step.nodes}
    return any(kind.label in _MAKING for kind in kinds) or (
        first.inputs[0].type.numel != step.output.type.numel
    )


def _volume(
    name: str,
    what: str,
    kind: LayerKind,
    shape: Shape,
    kernel: tuple[float, float] | None = None,
) -> Volume:
    """A box that costs nothing yet."""
    spatial = shape[2:]
    size = "" if prod(spatial) == 1 else "x".join(map(str, spatial))
    channels = str(shape[1]) if len(shape) > 1 else str(prod(shape))
    return Volume(name, what, kind, shape, (), channels, size, 0, 0, 0, 0, kernel)


def _costing(volume: Volume, costs: Sequence[LayerCost], memory: int) -> Volume:
    """``volume`` with the layers that make it and work on it."""
    macs = sum([row.macs for row in costs])
    return replace(
        volume,
        layers=tuple([row.name for row in costs]),
        macs=macs if macs or all(row.known for row in costs) else None,
        params=sum([row.params for row in costs]),
        activations=sum([row.activations for row in costs]),
        memory=memory,
    )


def _scopes(name: str) -> list[str]:
    """The scopes around a layer: ``a/b/c`` is in ``a`` and ``a/b``."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _name(step: Step, drawn: Mapping[str, int]) -> str:
    """The layer's or block's own name. ``drawn`` says how many boxes there are in a scope.

    The only layer of a scope that is drawn, or its convolution, is called as the scope is.
    """
    if len(step.nodes) == 1:
        (node,) = step.nodes
        parts = _parts(node.name)
        if len(parts) > 1 and (drawn[node.scope] == 1 or parts[-1] in (*_OWN_NAMES, node.op.kind)):
            parts.pop()
        # The number in a list of layers says little by itself.
        own = parts[-2:] if parts[-1].isdecimal() else parts[-1:]
    else:
        parts = []
        for column in zip(*(_parts(node.name) for node in step.nodes), strict=False):
            if len(set(column)) > 1:
                break
            parts.append(column[0])
        own = parts[-2:]
    return shortened("/".join(own), LONGEST_NAME)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part.strip()] or [name]


def _what(step: Step, before: Shape) -> str:
    """What makes a feature map: ``3x3 conv, /2``; ``residual, 1x1-3x3-1x1``."""
    if len(step.nodes) == 1:
        (node,) = step.nodes
        given = str(step.output.shape[1]) if len(step.output.shape) > 1 else ""
        texts = operation(node).split(", ")
        # The number of channels has its own label.
        return shortened(", ".join(texts[:1] + [t for t in texts[1:] if t != given]), LONGEST_WHAT)
    merges = [node.op.kind for node in step.nodes if len(node.inputs) > 1]
    word = "gated" if "product" in merges else _MERGES.get((merges or [""])[-1], "block")
    # The shortcut is what a residual block is expected to have.
    layers = _longest(step) if word == "residual" else step.nodes
    kernels = [operation(node).split()[0].rstrip(",") for node in layers if node.op.weighted]
    # Side by side, or one after the other.
    between = " " if word == "concat" else "-"
    inside = between.join(kernels if len(kernels) <= 3 else dict.fromkeys(kernels))
    smaller = len(before) > 2 and prod(step.output.shape[2:]) < prod(before[2:])
    return shortened(
        f"{word}, {inside}{', /2' if smaller and _halved(before, step) else ''}", LONGEST_WHAT
    )


def _longest(step: Step) -> list[Node]:
    """The nodes of the branch with the most weighted layers."""
    longest: dict[Value, list[Node]] = {}
    for node in step.nodes:
        before = max((longest.get(value, []) for value in node.inputs), key=_weighted, default=[])
        for value in node.outputs:
            longest[value] = [*before, node]
    return longest[step.output]


def _weighted(nodes: Sequence[Node]) -> int:
    return sum(node.op.weighted for node in nodes)


def _halved(before: Shape, step: Step) -> bool:
    return all(
        (old + 1) // 2 == new for old, new in zip(before[2:], step.output.shape[2:], strict=False)
    )


def _kernel(node: Node) -> tuple[float, float] | None:
    """The share of its input's height and width that an operator sees at once."""
    kernel = getattr(node.op, "kernel", None)
    spatial = node.inputs[0].shape[2:]
    if kernel is None or len(spatial) != 2:
        return None
    sizes = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    high, wide = (min(1.0, k / n) for k, n in zip(sizes, spatial, strict=True))
    return high, wide


# --- several as one ------------------------------------------------------------------------------


def grouped(found: Sequence[Volume], scopes: int) -> list[Volume]:
    """Neighbours of the same outer ``scopes`` as one box, that of what the last of them gives."""
    groups: list[tuple[str, list[Volume]]] = []
    for volume in found:
        parts = volume.layers[0].split("/") if volume.layers else []
        key = "/".join(parts[:scopes]) if len(parts) > scopes else ""
        if key and groups and groups[-1][0] == key:
            groups[-1][1].append(volume)
        else:
            groups.append((key, [volume]))
    return [_merged(key, members) for key, members in groups]


def _merged(key: str, members: Sequence[Volume]) -> Volume:
    if len(members) == 1:
        return members[0]
    last = members[-1]
    return replace(
        last,
        name=shortened(key.rpartition("/")[2], LONGEST_NAME),
        operation=_together([member.operation for member in members]),
        kind=max(members, key=lambda member: (member.kind is BLOCK, member.macs or 0)).kind,
        layers=tuple(name for member in members for name in member.layers),
        macs=sum(member.macs or 0 for member in members),
        params=sum(member.params for member in members),
        activations=sum(member.activations for member in members),
        memory=max(member.memory for member in members),
        kernel=None,
    )


def _together(operations: Sequence[str]) -> str:
    if len(set(operations)) == 1:
        return f"{len(operations)} x {operations[0]}"
    return " + ".join(operations) if len(operations) == 2 else f"{len(operations)} steps"


def folded(found: Sequence[Volume]) -> tuple[tuple[Volume, ...], tuple[Repeat, ...]]:
    """Runs of alike neighbours, or of alike groups of neighbours, drawn once."""
    keys = [(volume.operation, volume.shape, volume.macs, volume.params) for volume in found]
    drawn: list[Volume] = []
    repeats = []
    at = 0
    while at < len(found):
        period, times = _run(keys, at)
        members = found[at : at + period * times]
        if times > 1:
            repeats.append(Repeat(len(drawn), len(drawn) + period - 1, times))
        for place in range(period):
            names = tuple(name for one in members[place::period] for name in one.layers)
            drawn.append(replace(members[place], layers=names))
        at += period * times
    return tuple(drawn), tuple(repeats)


def _run(keys: Sequence[object], at: int) -> tuple[int, int]:
    """The run that begins ``at`` and saves most: (boxes in a member, members); (1, 1) for none."""
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(keys) - at) // 2) + 1):
        times = 1
        while keys[at + times * period : at + (times + 1) * period] == keys[at : at + period]:
            times += 1
        if period * (times - 1) > best[0] * (best[1] - 1):
            best = (period, times)
    return best
