"""Colours: those of kinds of layers, paler than in a plot so that text can be read on them, and
scales. What a box is its text says too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from archcost.report.palette import LAYER_KINDS, OTHER, THEMES, LayerKind, ThemeName, mixed

BLOCK: Final = LayerKind("several layers", None)
TERMINAL: Final = LayerKind("input, output", None)
KINDS: Final = (BLOCK, *LAYER_KINDS)
"""In the order in which a legend has them."""

_PALE: Final[dict[ThemeName, float]] = {"light": 0.72, "dark": 0.58}
"""How much of the ground there is in the colour of a box."""
_SCALES: Final[dict[ThemeName, tuple[str, ...]]] = {
    # ColorBrewer's YlGnBu: darker is more, in grey too.
    "light": ("#ffffe5", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84"),
    # viridis: lighter is more.
    "dark": ("#440154", "#443a83", "#31688e", "#21918c", "#35b779", "#8fd744", "#fde725"),
}


class Ground(NamedTuple):
    """The colours around the boxes, as ``#rrggbb``."""

    paper: str
    ink: str
    faint: str
    """Of what is said beside."""
    line: str
    """Of edges and borders."""
    frame: str
    """A frame's border, and"""
    within: str
    """what is in it; also boxes of several layers, which are closed frames."""


def ground(theme: ThemeName) -> Ground:
    background, text, muted, grid, _ = THEMES[theme]
    return Ground(
        paper=background,
        ink=text,
        faint=muted,
        line=mixed(muted, text, 0.2),
        frame=mixed(grid, text, 0.2),
        within=fill_of(BLOCK, theme),
    )


def fill_of(kind: LayerKind, theme: ThemeName) -> str:
    """The colour of boxes of a kind."""
    colors = THEMES[theme]
    if kind is TERMINAL:
        return colors.background
    if kind is BLOCK:
        return mixed(colors.text, colors.background, 0.95)
    if kind is OTHER:
        return mixed(colors.grid, colors.background, 0.3)
    if kind.hue is None:
        return mixed(colors.muted, colors.background, 0.6)
    return mixed(colors.hues[kind.hue], colors.background, _PALE[theme])


def on_scale(share: float, theme: ThemeName) -> str:
    """The colour of ``share``, 0 to 1, of the most."""
    colors = _SCALES[theme]
    at = min(max(share, 0.0), 1.0) * (len(colors) - 1)
    low = min(int(at), len(colors) - 2)
    below, above = list(pairwise(colors))[low]
    return mixed(below, above, at - low)
