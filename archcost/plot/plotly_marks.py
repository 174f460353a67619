"""Marks as traces and annotations of plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from archcost.plot.figure import MOST_NAME, Bars, Dash, Line, Marker, Note, Panel, Points
from archcost.plot.plotly_axes import part_along, place_of
from archcost.plot.plotly_texts import MOST_HOVER, Json, hover, ink, literal, token

LARGEST: Final = 46
"""Pixels across the largest point of those that differ in size."""
_SYMBOLS: Final[dict[Marker, str]] = {
    "circle": "circle",
    "square": "square",
    "triangle": "triangle-up",
    "diamond": "diamond",
    "cross": "x-thin",
    "plus": "cross-thin",
}
_STROKES: Final = ("cross", "plus")
"""Markers that have no inside."""
_DASHES: Final[dict[Dash, str]] = {
    "solid": "solid",
    "dashed": "dash",
    "dotted": "dot",
    "dashdot": "dashdot",
}
_PATTERNS: Final = ("", "/", "\\", "x", ".", "-", "|", "+")


def drawn_points(mark: Points, panel: Panel) -> Json:
    color = token(mark.color)
    marker: Json = {"symbol": _SYMBOLS[mark.marker], "size": 9, "color": color}
    marker["line"] = {"width": 1, "color": "@background"}
    if mark.marker in _STROKES:
        marker["line"] = {"width": 2, "color": color}
    elif not mark.filled:
        marker["symbol"] += "-open"
        marker["line"] = {"width": 2, "color": color}
    if mark.sizes and panel.sizes:
        marker |= {
            "size": list(mark.sizes),
            "sizemode": "area",
            "sizeref": 2 * panel.sizes.largest / LARGEST**2,  # areas: of radius sqrt(size / 2 ref)
            "sizemin": 3,
            "opacity": 0.8,
        }
    made: Json = {"type": "scatter", "mode": "markers", "marker": marker, "cliponaxis": False}
    # An entry of the legend has no point.
    made |= {"x": [*mark.x] if mark.x else [None], "y": [*mark.y] if mark.y else [None]}
    made |= hover(mark.hover or [(name,) for name in mark.labels])
    if mark.labels:
        shown = [words[0] if words else "" for words in mark.hover] or list(mark.labels)
        if shown == list(mark.labels) and max(map(len, shown)) <= MOST_HOVER:
            made["meta"] = "named"  # by the first line that is shown
        else:
            made["customdata"] = list(mark.labels)
    if mark.low and mark.high:
        ends = ((mark.y, mark.high), (mark.low, mark.y))
        above, below = ([b - a for a, b in zip(*pair, strict=True)] for pair in ends)
        made["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "width": 0,
            "thickness": 1,
            "color": token(mark.color, 0.6),
        }
    return made


def names_beside(mark: Points, points: Json, panel: Panel) -> Json:
    """The names beside points: a trace of its own, for no point to lie on them.

    The most important comes first: figures.js finds places for them one by one, and hides a name
    that would lie on one before it or on another point.
    """

    def chosen(values: Sequence[Any]) -> list[Any]:
        return [values[at] for at in mark.drawn]

    # Points that are not seen, as large as those that are: a name stands outside its point.
    marker = {"opacity": 0, **{k: v for k, v in points["marker"].items() if k.startswith("size")}}
    if isinstance(marker["size"], list):
        marker["size"] = chosen(marker["size"])
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": chosen(mark.x),
        "y": chosen(mark.y),
        "marker": marker,
        "text": [literal(name, MOST_NAME) for name in chosen(mark.labels)],
        "textposition": [f"top {_toward(x, panel)}" for x in chosen(mark.x)],
        "textfont": {"size": 12, "color": "@text"},
        "meta": "names",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def drawn_line(mark: Line) -> Json:
    made: Json = {
        "type": "scatter",
        "mode": "lines+markers" if mark.marker else "lines",
        "x": list(mark.x),
        "y": list(mark.y),
        "line": {
            "color": token(mark.color),
            "dash": _DASHES[mark.dash],
            "shape": _shape(mark),
            "width": 2,
        },
        **hover(mark.hover),
    }
    if mark.marker:
        made["marker"] = {"symbol": _SYMBOLS[mark.marker], "size": 5, "color": token(mark.color)}
    if mark.base is not None:
        made["fill"] = "tonexty" if any(mark.base) else "tozeroy"
        made["fillcolor"] = token(mark.color, 0.35)
    return made


def _shape(mark: Line) -> str:
    return "hvh" if mark.stepped else "hv" if mark.corner else "linear"


def lower_edge(mark: Line) -> Json:
    """The lower edge of a filled line, which plotly fills down to: a trace that is not seen."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(mark.x),
        "y": list(mark.base or ()),
        "line": {"width": 0, "shape": _shape(mark)},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def end_text(mark: Line, panel: Panel, number: str) -> Json:
    return {
        "text": literal(mark.end),
        "x": place_of(mark.x[-1], panel.x),
        "y": place_of(mark.y[-1], panel.y),
        "xref": f"x{number}",
        "yref": f"y{number}",
        "xanchor": "left",
        "xshift": 6,
        "showarrow": False,
        "font": {"color": ink(mark.color)},
    }


BAR: Final = 0.75
"""Height of a bar, as a part of the distance from one category to the next."""


def drawn_bars(mark: Bars) -> Json:
    made: Json = {
        "type": "bar",
        "orientation": "h",
        "y": list(mark.at),
        "x": list(mark.values),
        "base": list(mark.starts),
        # Left to itself plotly makes bars higher whose categories are not neighbours.
        "width": BAR,
        "marker": {
            "color": token(mark.color),
            "line": {"width": 1, "color": "@background"},
        },
        **hover(mark.hover),
    }
    if mark.hatch:
        made["marker"]["pattern"] = {
            "shape": _PATTERNS[mark.hatch % len(_PATTERNS)],
            "fillmode": "overlay",
            "fgcolor": "@background",
            "size": 7,
            "solidity": 0.25,
        }
    if mark.labels:
        made |= {
            "text": list(map(literal, mark.labels)),
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
        }
    return made


def _toward(x: float | None, panel: Panel) -> str:
    """To which side of a place a text goes so that it stays in the panel."""
    part = 0.5 if x is None else part_along(x, panel.x, panel, "x")
    return "right" if part < 0.2 else "left" if part > 0.8 else "center"


def drawn_note(mark: Note, panel: Panel) -> Json:
    position = f"middle {mark.side}"
    if mark.side in ("above", "below"):
        upright = "top" if mark.side == "above" else "bottom"
        position = f"{upright} {_toward(mark.x, panel)}"
    return {
        "type": "scatter",
        "mode": "markers+text" if mark.pointed else "text",
        "x": [mark.x],
        "y": [mark.y],
        "text": [literal(mark.text)],
        "textposition": position,
        "textfont": {"color": ink(mark.color), "size": 12},
        "marker": {"size": 5, "color": token(mark.color)},
        "meta": "note" if mark.pointed else "",
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }
