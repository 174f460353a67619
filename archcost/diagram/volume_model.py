"""What a plate picture is made of: boxes in a row, in no library's words.

Lengths are in points, x to the right and y upwards, the middle of every box at y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, prod, radians, sin
from typing import Final

from archcost.diagram.model import ColorBy
from archcost.ir import Shape
from archcost.report.palette import GREEN, LAYER_KINDS, LayerKind

INPUT: Final = LayerKind("input", None)
BLOCK: Final = LayerKind("block of branches", GREEN)

SLANT: Final = radians(40)
FORESHORTENED: Final = 0.42
"""How the depth of a box is drawn: at which angle, and which part of its length."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One box: the feature map that ``layers``, the names of nodes, make together.

    ``operation`` is what makes it (``3x3 conv, /2``), ``size`` what its shape is beside its
    ``channels``: ``56x56``, and empty for a vector. ``kernel`` is how much of the box before it
    the operator sees at once, as shares of height and width. ``macs`` is None where nobody knows;
    ``memory`` is the most bytes alive at one time while the layers run. ``cost`` says that by which
    it is coloured. ``x`` is the left end of its front, whose width is ``thickness``; ``depth`` is
    drawn slanting.
    """

    name: str
    operation: str
    kind: LayerKind
    shape: Shape
    layers: tuple[str, ...]
    channels: str
    size: str
    macs: int | None
    params: int
    activations: int
    memory: int
    kernel: tuple[float, float] | None = None
    cost: str = ""
    x: float = 0.0
    thickness: float = 0.0
    height: float = 0.0
    depth: float = 0.0

    @property
    def slant(self) -> tuple[float, float]:
        """Where the back of the box is, seen from its front."""
        return (
            FORESHORTENED * self.depth * cos(SLANT),
            FORESHORTENED * self.depth * sin(SLANT),
        )

    @property
    def bottom(self) -> float:
        return -(self.height + self.slant[1]) / 2

    @property
    def flat(self) -> bool:
        """Whether it is a vector, if one of a map of 1 x 1."""
        return prod(self.shape[2:]) == 1

    @property
    def middle(self) -> float:
        """The middle of its front, under which its labels stand."""
        return self.x + self.thickness / 2

    @property
    def top_middle(self) -> float:
        """The middle of its back, over which its size stands."""
        return self.middle + self.slant[0]

    @property
    def right(self) -> float:
        """The right end of its back."""
        return self.x + self.thickness + self.slant[0]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The boxes from ``first`` to ``last``, which come ``times`` times in a row."""

    first: int
    last: int
    times: int


@dataclass(frozen=True, slots=True)
class Volumes:
    """The picture of a network; ``title`` is its name, ``alt`` what it shows, in words."""

    title: str
    subtitle: str
    alt: str
    color_by: ColorBy
    volumes: tuple[Volume, ...]
    repeats: tuple[Repeat, ...]
    airy: bool
    """Whether there is room for labels side by side."""

    @property
    def kinds(self) -> tuple[LayerKind, ...]:
        """The kinds that its boxes are of, in the order in which a legend has them."""
        used = {volume.kind for volume in self.volumes}
        return tuple(kind for kind in (INPUT, *LAYER_KINDS, BLOCK) if kind in used)

    def value(self, volume: Volume) -> int | None:
        """By what a box is coloured; None for the input, and where nobody knows."""
        if self.color_by == "op" or not volume.operation:
            return None
        value: int | None = getattr(volume, self.color_by)
        return value

    @property
    def most(self) -> int:
        """The largest of the values."""
        return max((self.value(volume) or 0 for volume in self.volumes), default=0)
