"""An analysis -> :class:`Diagram`: what is drawn, in which boxes, with which colours and texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from archcost.analysis import Analysis, LayerCost
from archcost.diagram.colors import KINDS, TERMINAL, fill_of, ground, on_scale
from archcost.diagram.grouping import Frame, Leaf, in_order
from archcost.diagram.labels import (
    MOST_TIP,
    MOST_TITLE,
    Shapes,
    actions,
    kind_of,
    known_macs,
    title,
    wrapped,
)
from archcost.diagram.model import (
    DIRECTIONS,
    GRAPH_COLORS,
    LEVELS,
    THEME_NAMES,
    Box,
    ColorBy,
    Diagram,
    DiagramError,
    Direction,
    Edge,
    Group,
    Level,
    Swatch,
)
from archcost.diagram.plan import Plan, Planner
from archcost.ir import Node, Value
from archcost.ir.collector import collector_paused
from archcost.report.format import (
    count,
    decimal_bytes,
    exact,
    seconds,
    shortened,
    unknown_operators,
)
from archcost.report.palette import ThemeName, ink_on

MOST_EDGES: Final = 5000
"""Beyond that Graphviz is not even asked: its time grows faster than their number."""
WIDEST: Final = 4.5
THINNEST: Final = 0.8
"""Widths of edges, in points."""
WIDTHS: Final[dict[Direction, int]] = {"down": 72, "right": 24}
"""About how many characters a line of a box has: to the right, narrow boxes save room."""
STEPS: Final = 5
"""Colours of a scale that the legend shows."""
MOST_NAMES: Final = 4


def diagram(
    analysis: Analysis,
    *,
    level: Level | None = None,
    color_by: ColorBy = "op",
    direction: Direction = "down",
    theme: ThemeName = "light",
    unfold: bool | Collection[str] = (),
    merge: bool = True,
    dense: bool = False,
    legend: bool = True,
    times: Mapping[Node, float] | None = None,
    where: str = "",
) -> Diagram:
    """Draw a network.

    Args:
        analysis: the network's.
        level: ``stage``: a box for each first part of the layers' names; ``block``: for each of
            their first two scopes, or for those up to a number (``layers/0``); ``layer``: for each
            layer. Default: the finest with no more than about sixty boxes; ``layer`` without
            ``merge``.
        color_by: ``op``: boxes have the colour of their kind of operator; else that of their place
            between 0 and the most of any box: ``macs``, ``params``, ``activations`` (elements),
            ``memory`` (the most bytes of tensors alive at one time while its layers run), or
            ``time``, which needs ``times``.
        direction: where the network runs to: ``down`` or ``right``.
        theme: colours for a ``light`` or a ``dark`` ground.
        unfold: True draws everything that is repeated as often as it is there; names of scopes:
            what they are, what is in them, and the run that they are in.
        merge: normalisations, activations, dropout, views and the like stand in the box of the
            layer that they belong to; False gives each a box at level ``layer``.
        dense: what reads a concatenation gets edges from all that it joins instead of one from
            the box that it stands in; a concatenation with a box of its own stays.
        legend: with a legend and notes.
        times: seconds of every node, for ``color_by="time"``.
        where: which times those are, in a few words.

    Raises:
        DiagramError: an argument is none of these, nothing of that name is folded, the network has
            no layers, or more than can be laid out; the message then names a level that works.
    """
    for name, value, choices in (
        ("color_by", color_by, GRAPH_COLORS),
        ("direction", direction, DIRECTIONS),
        ("theme", theme, THEME_NAMES),
        ("level", level, (None, *LEVELS)),
    ):
        if value not in choices:
            among = ", ".join(filter(None, choices))
            raise DiagramError(f"{name} is one of {among}, not {value!r:.60}")
    if not analysis.graph.nodes:
        raise DiagramError(f"{shortened(analysis.graph.name, MOST_TITLE)} has no layers to draw")
    if color_by == "time" and times is None:
        raise DiagramError("colours by time need the layers' times")
    look = _Look(color_by, direction, theme, dense, legend, times or {}, where)
    with collector_paused():
        planner = Planner(analysis, unfold, merge)
        drawing = _Drawing(analysis, planner.plan(level), look)
        if not drawing.runs:
            # What is left out when a run is folded can hide that something else lies between.
            drawing = _Drawing(analysis, planner.unfolded(drawing.plan.level), look)
        return drawing.diagram()


@dataclass(frozen=True)
class _Look:
    """What :func:`diagram` was asked for."""

    color_by: ColorBy
    direction: Direction
    theme: ThemeName
    dense: bool
    legend: bool
    times: Mapping[Node, float]
    where: str


class _Drawing:
    """Makes the boxes, edges and groups of a plan."""

    def __init__(self, analysis: Analysis, plan: Plan, look: _Look) -> None:
        graph = analysis.graph
        self.analysis, self.graph, self.plan = analysis, graph, plan
        self.color_by, self.direction, self.theme = look.color_by, look.direction, look.theme
        self.look = look
        self.shapes = Shapes(graph)
        self.rows: dict[Node, LayerCost] = {row.node: row for row in analysis.layers}
        self.alive: dict[Node, int] = {}
        if self.color_by == "memory":
            self.alive = dict(zip(graph.nodes, analysis.memory.timeline, strict=True))
        self.leaves = list(plan.root.leaves())
        self.ids = {leaf: f"n{index}" for index, leaf in enumerate(self.leaves)}
        self.home = {node: leaf for leaf in self.leaves for node in leaf.nodes}
        self.stands: dict[Leaf, list[Node]] = {leaf: [] for leaf in self.leaves}
        self.leaving: dict[str, dict[Value, None]] = {id_: {} for id_ in self.ids.values()}
        self.between: dict[tuple[str, str], dict[Value, None]] = {}
        self.loops: dict[tuple[str, str], None] = {}
        for node in graph.nodes:
            self.stands[self._leaf(node)].append(node)
        self._connect()

    def _leaf(self, node: Node) -> Leaf:
        return self.home[self.plan.folds.drawn(node)]

    def _connect(self) -> None:
        folds = self.plan.folds
        self.entries = {value: f"in{index}" for index, value in enumerate(self.graph.inputs)}
        for node in self.graph.nodes:
            target = self.ids[self._leaf(node)]
            for value in dict.fromkeys(node.inputs):
                if value.producer is not None and folds.hands_on(value.producer, node):
                    self.loops[self.ids[self._leaf(value.producer)], target] = None
                else:
                    for part in self._parts(value, node) if self.look.dense else (value,):
                        self._join(target, part)
        for index, value in enumerate(self.graph.outputs):
            self._join(f"out{index}", value)

    def _parts(self, value: Value, reader: Node) -> list[Value]:
        """What ``value`` is joined of, where it is a concatenation in the box of one of them."""
        parts: dict[Value, None] = {}
        pending = [value]
        while pending:
            part = pending.pop()
            producer = part.producer
            if (
                producer is None
                or producer.op.kind != "concat"
                or self._leaf(producer) is self._leaf(reader)
                or all(
                    one.producer is None or self._leaf(one.producer) is not self._leaf(producer)
                    for one in producer.inputs
                )
            ):
                parts[part] = None
            else:
                pending += reversed(producer.inputs)
        return list(parts)

    def _join(self, target: str, value: Value) -> None:
        if value.producer is None:
            source = self.entries[value]
        else:
            source = self.ids[self._leaf(value.producer)]
            value = self._drawn(value)
        if source != target:
            self.between.setdefault((source, target), {})[value] = None
            self.leaving.setdefault(source, {})[value] = None
            if len(self.between) > MOST_EDGES:  # at once: their number can be that of pairs
                raise self._too_many_edges()

    def _too_many_edges(self) -> DiagramError:
        fewer = "without --dense" if self.look.dense else "on a coarser level"
        return DiagramError(
            f"{shortened(self.graph.name, MOST_TITLE)} has more than {exact(MOST_EDGES)} edges at "
            f"level {self.plan.level}, and no more can be laid out: draw it {fewer}"
        )

    def _drawn(self, value: Value) -> Value:
        """The tensor that the first of the repeats makes in the place of ``value``."""
        assert value.producer is not None
        drawn = self.plan.folds.drawn(value.producer)
        return drawn.outputs[value.producer.outputs.index(value)]

    @property
    def runs(self) -> bool:
        """Whether no box waits for itself by way of others."""
        links: dict[int, set[int]] = {index: set() for index in range(len(self.leaves))}
        for source, target in self.between:
            if source[0] == target[0] == "n":
                links[int(source[1:])].add(int(target[1:]))
        return in_order(links) is not None

    def diagram(self) -> Diagram:
        groups, around = self._groups()
        boxes = self._colored([self._box(leaf, around.get(leaf)) for leaf in self.leaves])
        everything = (*self._inputs(), *boxes, *self._outputs())
        totals, graph = self.analysis.totals, self.graph
        inputs = ", ".join(self.shapes.texts(graph.inputs))
        cost = f"{count(totals.params)} params, {known_macs(self.analysis.layers, count)} MACs"
        if self.color_by == "time":
            cost += (
                f", {_quantity(sum(self.look.times.values()), 'time')} {self.look.where}".rstrip()
            )
        name = shortened(str(graph.metadata.get("title") or graph.name), 2 * MOST_TITLE)
        level = self.plan.level
        return Diagram(
            title=name,
            subtitle=f"by {level} · input {inputs or 'none'} · {cost}",
            alt=(
                f"Diagram of {name} by {level}: {exact(len(boxes))} boxes for "
                f"{exact(len(graph.nodes))} layers, from the input ({inputs or 'none'}) to the "
                f"output ({', '.join(self.shapes.texts(graph.outputs)) or 'none'}). "
                f"In all {cost}."
            ),
            level=level,
            color_by=self.color_by,
            direction=self.direction,
            theme=self.theme,
            boxes=everything,
            edges=self._edges(),
            groups=groups,
            loops=tuple(self.loops),
            legend=self._legend(boxes) if self.look.legend else (),
            notes=self._notes() if self.look.legend else (),
        )

    # --- boxes ---

    def _groups(self) -> tuple[tuple[Group, ...], dict[Leaf, str]]:
        groups: list[Group] = []
        around: dict[Leaf, str] = {}

        def visit(frame: Frame, parent: str | None) -> None:
            for child in frame.children:
                if isinstance(child, Leaf):
                    if parent is not None:
                        around[child] = parent
                    continue
                id_ = f"g{len(groups)}"
                groups.append(Group(id_, title(child), parent, child.repeats))
                visit(child, id_)

        visit(self.plan.root, None)
        return tuple(groups), around

    def _box(self, leaf: Leaf, group: str | None) -> Box:
        rows = [self.rows[node] for node in leaf.nodes]
        id_ = self.ids[leaf]
        leaving = list(self.leaving[id_]) or list(rows[-1].node.outputs)
        shapes = self.shapes.texts(leaving)
        value = self._value(rows)
        width = WIDTHS[self.direction]
        lines = [title(leaf), *actions(leaf, width), *wrapped(shapes, ", ", width)]
        lines += wrapped(self._cost(rows, value), ", ", width)
        kind = kind_of(leaf)
        fill = fill_of(kind, self.theme)
        return Box(
            id=id_,
            lines=tuple(lines),
            layers=tuple(node.name for node in self.stands[leaf]),
            kind=kind.label,
            fill=fill,
            ink=ink_on(fill),
            tooltip=self._tip(leaf, rows, ", ".join(shapes)),
            group=group,
            repeats=leaf.repeats,
            value=value,
        )

    def _value(self, rows: Sequence[LayerCost]) -> float | None:
        if self.color_by == "time":
            return sum(self.look.times[row.node] for row in rows)
        known = any(row.known for row in rows)
        if self.color_by == "memory":
            return max(self.alive[row.node] for row in rows)
        if self.color_by == "params":
            return sum(row.params for row in rows)
        if self.color_by == "activations":
            return sum(row.activations for row in rows)
        return sum(row.macs for row in rows) if known else None

    def _cost(self, rows: Sequence[LayerCost], value: float | None) -> list[str]:
        if self.color_by not in ("op", "macs"):
            return [_quantity(value, self.color_by)] if value else []
        params = sum(row.params for row in rows) if self.color_by == "op" else 0
        macs = known_macs(rows, count)
        return [
            *([f"{count(params)} params"] if params else []),
            *([f"{macs} MACs"] if macs != "0" else []),
        ]

    def _tip(self, leaf: Leaf, rows: Sequence[LayerCost], shapes: str) -> str:
        layers = self.stands[leaf]
        names = [shortened(node.name, MOST_TIP) for node in layers[:MOST_NAMES]]
        if len(layers) > MOST_NAMES:
            names.append(f"and {exact(len(layers) - MOST_NAMES)} more layers")
        each = " each" if len(layers) > len(rows) else ""
        return "; ".join(
            [
                ", ".join(names),
                f"output {shapes}",
                f"params {exact(sum(row.params for row in rows))}{each}",
                f"MACs {known_macs(rows, exact, 'unknown')}{each}",
            ]
        )

    def _colored(self, boxes: list[Box]) -> list[Box]:
        """On a scale from 0 to the most of any box, unless by kind."""
        if self.color_by == "op":
            return boxes
        most = max((box.value or 0 for box in boxes), default=0)
        colored = []
        for box in boxes:
            fill = ground(self.theme).paper
            if box.value is not None:
                fill = on_scale(box.value / most if most else 0.0, self.theme)
            colored.append(replace(box, fill=fill, ink=ink_on(fill)))
        return colored

    def _inputs(self) -> list[Box]:
        values = self.graph.inputs
        return [
            self._terminal(f"in{index}", value.name, value, "input")
            for index, value in enumerate(values)
        ]

    def _outputs(self) -> list[Box]:
        named = self.graph.named_outputs.items()
        return [
            self._terminal(f"out{index}", name, value, "output")
            for index, (name, value) in enumerate(named)
        ]

    def _terminal(self, id_: str, name: str, value: Value, kind: str) -> Box:
        fill = fill_of(TERMINAL, self.theme)
        shape = self.shapes.text(value)
        text = shortened(name, MOST_TITLE)
        return Box(id_, (text, shape), (), kind, fill, ink_on(fill), f"{kind} {text}: {shape}")

    # --- edges ---

    def _edges(self) -> tuple[Edge, ...]:
        sizes = {
            pair: sum(value.type.nbytes for value in values)
            for pair, values in self.between.items()
        }
        most = max(sizes.values(), default=0)
        edges = []
        said: set[tuple[str, frozenset[Value]]] = set()
        for (source, target), values in self.between.items():
            nbytes = sizes[source, target]
            width = THINNEST + (WIDEST - THINNEST) * sqrt(nbytes / most if most else 0.0)
            text = ", ".join(self.shapes.texts(list(values)))
            tip = f"{text} ({decimal_bytes(nbytes)})"
            # The same tensors leaving a box in several directions are labelled once.
            label = "" if (source, frozenset(values)) in said else text
            said.add((source, frozenset(values)))
            edges.append(Edge(source, target, label, nbytes, round(width, 2), tip))
        return tuple(edges)

    # --- legend ---

    def _legend(self, boxes: Sequence[Box]) -> tuple[Swatch, ...]:
        if self.color_by == "op":
            present = {box.kind for box in boxes}
            return tuple(
                _swatch(kind.label, fill_of(kind, self.theme))
                for kind in KINDS
                if kind.label in present
            )
        most = max((box.value or 0 for box in boxes), default=0)
        steps = []
        for step in range(STEPS):
            share = step / (STEPS - 1)
            # The unit is said once: five of them would be wider than the network.
            text = _quantity(most * share, self.color_by)
            if self.color_by != "time" and step not in (0, STEPS - 1):
                text = text.rpartition(" ")[0]
            steps.append(_swatch(text, on_scale(share, self.theme)))
        if any(box.value is None for box in boxes):
            steps.append(_swatch("not known", ground(self.theme).paper))
        return tuple(steps)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.plan.folds.paths:
            notes.append("x N: N alike in a row, drawn once; costs are those of one")
        if unknown := unknown_operators(self.analysis.totals.unknown):
            operators = shortened(", ".join(unknown), WIDTHS["down"])
            notes.append(f"?: not counted, as their work is not known: {operators}")
        most = max(
            (sum(value.type.nbytes for value in values) for values in self.between.values()),
            default=0,
        )
        notes.append(f"wider edges carry more bytes, at most {decimal_bytes(most)}")
        batch = self.graph.batch
        if self.shapes.batched:
            notes.append(f"shapes without the batch of {exact(batch)}")
        return tuple(notes)


def _swatch(label: str, fill: str) -> Swatch:
    return Swatch(label, fill, ink_on(fill))


def _quantity(value: float, what: ColorBy) -> str:
    """``1.23 M MACs``: a number of what boxes are coloured by."""
    if what == "time":
        return seconds(value)
    if what == "memory":
        return f"{decimal_bytes(round(value))} alive"
    return f"{count(round(value))} {'MACs' if what == 'macs' else what}"
