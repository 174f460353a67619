"""A diagram as data: boxes, the edges between them, the groups around them, and a legend.

It knows colours and texts but no format: ``dot.py`` and ``mermaid.py`` write it. Its texts are
those of the network, made :func:`~archcost.report.format.visible` and shortened, but escaped for no
format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from archcost.ir import ArchcostError
from archcost.report.palette import ThemeName

Level = Literal["stage", "block", "layer"]
ColorBy = Literal["op", "macs", "params", "activations", "memory", "time"]
Direction = Literal["down", "right"]

LEVELS: Final[tuple[Level, ...]] = ("stage", "block", "layer")
COLORS: Final[tuple[ColorBy, ...]] = ("op", "macs", "params", "activations", "memory")
"""What an analysis alone tells."""
GRAPH_COLORS: Final[tuple[ColorBy, ...]] = (*COLORS, "time")
DIRECTIONS: Final[tuple[Direction, ...]] = ("down", "right")
THEME_NAMES: Final[tuple[ThemeName, ...]] = ("light", "dark")


class DiagramError(ArchcostError, ValueError):
    """A diagram was asked for that cannot be drawn."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: a layer, or the layers of a block or stage, or an input or output of the network.

    ``id`` is a valid id in XML and DOT, the same for the same network and options. ``layers`` are
    the names of the nodes that it stands for, those of all ``repeats`` of a fold too; none for an
    input or output. ``kind`` is what the legend calls it (``convolution``). ``lines`` are the
    label: the title first, then what it does, what comes out and what that costs. ``value`` is
    what ``color_by`` asks for, for one repeat, None where there is none or it is not known.
    """

    id: str
    lines: tuple[str, ...]
    layers: tuple[str, ...]
    kind: str
    fill: str
    ink: str
    """The colour of text on ``fill``."""
    tooltip: str
    group: str | None = None
    """The id of the innermost group around it."""
    repeats: int = 1
    """How many alike, one after the other, it stands for by itself, groups around it left aside."""
    value: float | None = None

    @property
    def terminal(self) -> bool:
        """Whether it is an input or output of the network."""
        return not self.layers


@dataclass(frozen=True, slots=True)
class Edge:
    """What goes from one box to another: every tensor once.

    ``label`` has their shapes; it is empty where a label beside it says the same. ``nbytes`` are
    the bytes of all of them, ``width`` is for drawing, in points.
    """

    source: str
    target: str
    label: str
    nbytes: int
    width: float
    tooltip: str


@dataclass(frozen=True, slots=True)
class Group:
    """A frame around boxes: a scope, or what is repeated; ``repeats`` as for a box."""

    id: str
    label: str
    parent: str | None = None
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Swatch:
    """One line of the legend: a colour and what it means."""

    label: str
    fill: str
    ink: str


@dataclass(frozen=True, slots=True)
class Diagram:
    """A drawing of one network. Edges never form a cycle and never lead from a box to itself.

    ``loops`` are what each repeat of a fold hands to the next, from box to box: as edges they would
    lead backwards, and they are not drawn.
    """

    title: str
    subtitle: str
    alt: str
    """One or two sentences for whoever cannot see it."""
    level: Level
    color_by: ColorBy
    direction: Direction
    theme: ThemeName
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
    loops: tuple[tuple[str, str], ...] = ()
    legend: tuple[Swatch, ...] = ()
    notes: tuple[str, ...] = ()
    """What to know to read it, below the legend."""
