"""How figures look on paper: sizes of letters and points, strokes, ticks and colours."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from math import isfinite, pi, sqrt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.plot.figure import MARKERS, Color, Dash, Marker, Panel, Points, shortened
from archcost.report.palette import Theme, luminance, mixed, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE: Final = 10.0
TEXT: Final = 8.0
TICK: Final = 7.2
SMALL: Final = 6.8
"""Sizes of letters in points."""
LINE: Final = 1.35
"""Height of a line of text, in sizes of its letters."""
LARGEST: Final = 26.0
SMALLEST: Final = 3.0
COMMON: Final = 5.0
"""Points across: the largest and the smallest of points that differ in size, and one of others."""
OPAQUE: Final = 0.85
"""How much of what is behind a point is hidden."""
SYMBOLS: Final[Mapping[Marker, str]] = dict(zip(MARKERS, "os^DXP", strict=True))
AREAS: Final[Mapping[Marker, float]] = {
    **dict.fromkeys(MARKERS, 1.0),
    "square": pi / 4,
    "diamond": pi / 4,
    "triangle": pi / 2,
}
"""By what matplotlib's size of a symbol is multiplied so that it has the circle's area."""
STROKES: Final[Mapping[Dash, Any]] = {
    "solid": "-",
    "dashed": (0, (5, 2)),
    "dotted": (0, (1.2, 1.6)),
    "dashdot": (0, (5, 1.6, 1.2, 1.6)),
}
HATCHES: Final = ("", "////", "....", "xxxx", "----", "\\\\\\\\")


class Ruler:
    """Measures text as it will be drawn."""

    def __init__(self, renderer: Any, dpi: float) -> None:
        self._renderer = renderer
        self._dpi = dpi

    def inches(self, text: str, size: float, weight: str = "normal") -> float:
        """How wide a line of text is."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight=weight)
        width, _, _ = self._renderer.get_text_width_height_descent(text, font, ismath=False)
        return float(width) / self._dpi

    def fitted(self, text: str, size: float, inches: float) -> str:
        """``text`` with as much of its middle left out as does not fit."""
        for _ in range(4):
            width = self.inches(text, size)
            if width <= inches or len(text) < 6:
                break
            text = shortened(text, max(5, int(0.97 * len(text) * inches / width)))
        return text

    def wrapped(
        self, text: str, size: float, inches: float, weight: str = "normal", most: int = 12
    ) -> list[str]:
        """Lines of ``text`` that are no wider than ``inches``; the last of more than ``most`` ends
        in dots."""
        letters = max(8, int(len(text) * inches / max(self.inches(text, size, weight), 0.01)))
        lines: list[str] = []
        for _ in range(4):
            lines = textwrap.wrap(text, letters, max_lines=most, placeholder=" …")
            widest = max((self.inches(line, size, weight) for line in lines), default=0)
            if widest <= inches or letters <= 8:
                break
            letters = max(8, int(0.97 * letters * inches / widest))
        return lines


class Spot(NamedTuple):
    """What a panel is drawn on, and in which colours."""

    panel: Panel
    axes: Axes
    theme: Theme
    inches: float
    """How wide it is, about."""
    scale: float
    """Of points that differ in size: smaller in a smaller panel."""
    ruler: Ruler

    def color(self, color: Color) -> str:
        return hue(self.theme, color)

    def ink(self, color: Color) -> str:
        """The colour of a text."""
        return readable(self.color(color), self.theme.background)


def hue(theme: Theme, color: Color) -> str:
    """``#rrggbb``."""
    if isinstance(color, int):
        return theme.hues[color % len(theme.hues)]
    return theme.text if color == "text" else theme.muted


def edge(color: str) -> str:
    """A darker one for a point's edge, of black a lighter one, so that yellow shows on white and
    overlapping points are told apart."""
    return mixed(color, "#000000" if luminance(color) else "#ffffff", 0.38)


def scaled(inches: float) -> float:
    """The scale of points in a panel of this width."""
    return min(1.0, sqrt(inches / 6.0))


def sizes(mark: Points, spot: Spot) -> list[float]:
    """Points across, of each."""
    if not mark.sizes or spot.panel.sizes is None:
        return [COMMON] * len(mark.x)
    return [across(size, spot.panel.sizes.largest, spot.scale) for size in mark.sizes]


def across(size: float, largest: float, scale: float) -> float:
    """Points across, so that areas are proportional to sizes, down to what can be seen."""
    return max(SMALLEST, scale * LARGEST * sqrt(max(size, 0) / largest)) if largest else COMMON


def tick(value: float, kind: str) -> str:
    """A number with no more digits than it needs."""
    if not isfinite(value):
        return ""
    if kind == "share":
        return f"{round(100 * value, 6):g} %"
    if kind == "percent":
        return f"{round(value, 6):g} %"
    if kind in ("index", "number"):
        return f"{round(value, 9):,g}" if abs(value) < 1e6 else f"{value:,.6g}"
    if kind == "seconds":
        return _short_time(value)
    unit = "B" if kind == "bytes" else ""
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 0.9999999 * 10**power:
            return f"{round(value / 10**power, 6):g} {prefix}{unit}"
    return f"{round(value, 6):g}{f' {unit}' if unit and value else ''}"


def _short_time(value: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if abs(value) * factor >= 0.9999999:
            return f"{round(value * factor, 6):g} {unit}"
    return f"{round(value * 1e9, 6):g} ns" if value else "0"
