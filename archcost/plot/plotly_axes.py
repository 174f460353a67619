"""Where panels stand, and their axes, as plotly takes them."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Final

from archcost.plot.figure import Axis, Bars, Figure, Line, Mark, Note, Panel, Points
from archcost.plot.plotly_texts import Json, literal

PANEL_HEIGHT: Final = 380
"""Pixels of a row of panels."""
BAR_HEIGHT: Final = 26
"""Pixels of a category on a vertical axis."""
ROOM: Final = 0.06
HEADROOM: Final = 0.14
"""Parts of the data's extent that are left free around them, and above them for texts there."""
MOST_TICK: Final = 24
"""Characters of a category's name."""
_TICKS: Final[dict[str, Json]] = {
    "count": {"tickformat": "~s"},
    "bytes": {"tickformat": "~s", "ticksuffix": "B"},
    "seconds": {"tickformat": "~s", "ticksuffix": "s"},
    "share": {"tickformat": ".2~%"},
    "percent": {"tickformat": "~f", "ticksuffix": " %"},
    "number": {"tickformat": ",.6~g"},
    "index": {"tickformat": ",d"},
    "category": {},
}
Box = tuple[tuple[float, float], tuple[float, float]]
"""The place of a panel, from the left and from the bottom, of the whole width and height."""


class Grid:
    """Where panels stand: ``boxes`` in order, and the ``height`` of all in pixels."""

    def __init__(self, figure: Figure, columns: int, beyond: int) -> None:
        panels = figure.panels
        rows = [panels[at : at + columns] for at in range(0, len(panels), columns)]
        titled = any(panel.title for panel in panels)
        heights = [max(map(_panel_height, row)) for row in rows]
        once = figure.share_x and columns == 1
        above = 26 if titled else 0
        between = above + (42 if once else 66)
        self.height = sum(heights) + between * (len(rows) - 1) + above
        # A page is some 1000 pixels wide; a gap takes what stands beside a panel.
        gap = (80 + beyond + (70 if _named(panels) else 0)) / 1000 if columns > 1 else 0.0
        width = (1 - gap * (columns - 1)) / columns
        self.boxes: list[Box] = []
        top = self.height - above
        for row, height in zip(rows, heights, strict=True):
            along = (round((top - height) / self.height, 5), round(top / self.height, 5))
            for column in range(len(row)):
                left = column * (width + gap)
                self.boxes.append(((round(left, 5), round(left + width, 5)), along))
            top -= height + between


def number_of(place: int) -> str:
    """How plotly numbers the axes of the panel at this place: x, x2, x3 ..."""
    return str(place + 1) if place else ""


def _named(panels: Sequence[Panel]) -> bool:
    return any(panel.y.kind == "category" for panel in panels)


def _panel_height(panel: Panel) -> int:
    if panel.y.kind == "category":
        return max(80, BAR_HEIGHT * len(panel.y.categories))
    return PANEL_HEIGHT


def width_beyond(panel: Panel) -> int:
    """Pixels that texts take beyond the right end of a panel."""
    beyond = [len(mark.end) for mark in panel.marks if isinstance(mark, Line)]
    high = _extent((panel,), "x")[1] if panel.x.high is None else panel.x.high
    for mark in panel.marks:
        if isinstance(mark, Note) and mark.side == "right" and high and mark.x >= 0.98 * high:
            beyond.append(len(mark.text))
    return 7 * max(beyond, default=0)


def _extent(panels: Sequence[Panel], letter: str, *, log: bool = False) -> tuple[float, float]:
    """The least and the greatest value that marks have on an axis; 0, 1 where there is none."""
    values: list[float] = []
    for panel in panels:
        for mark in panel.marks:
            if isinstance(mark, Bars):
                ends = [a + b for a, b in zip(mark.starts, mark.values, strict=True)]
                values += [*mark.starts, *ends] if letter == "x" else mark.at
            elif isinstance(mark, Note):
                values.append(mark.x if letter == "x" else mark.y)
            elif letter == "x":
                values += mark.x
            else:
                values += mark.y
                values += (*mark.low, *mark.high) if isinstance(mark, Points) else mark.base or ()
    if log:
        values = [value for value in values if value > 0]
    return (min(values), max(values)) if values else (0.0, 1.0)


def range_of(axis: Axis, panels: Sequence[Panel], letter: str) -> Json:
    """The ends of an axis where plotly would not find them: one that is given needs both, and
    logarithmic axes that match each other are not fitted together."""
    if axis.kind == "category":
        return {}
    marks = [mark for panel in panels for mark in panel.marks]
    lines = [mark for mark in marks if isinstance(mark, Line)]
    only_lines = bool(lines) and not any(isinstance(mark, Points | Bars) for mark in marks)
    filled = any(line.base is not None for line in lines)
    if axis.low is None and axis.high is None and not axis.log:
        if letter == "y":
            return {"rangemode": "tozero"} if filled else {}
        if not only_lines:
            return {}
        first, last = _extent(panels, letter)
        edge = 0.5 if axis.kind == "index" else 0.0
        return {"range": [first - edge, last + edge]}
    found = _extent(panels, letter, log=axis.log)
    low = place_of(found[0] if axis.low is None else axis.low, axis)
    high = place_of(found[1] if axis.high is None else axis.high, axis)
    if low is None or high is None:
        return {}
    extent = high - low
    above = HEADROOM if letter == "y" and any(map(_told, marks)) else ROOM
    ends = [
        low - ROOM * extent if axis.low is None else low,
        high + above * extent if axis.high is None else high,
    ]
    return {"range": ends}


def _told(mark: Mark) -> bool:
    """Whether a text stands at a point of the mark."""
    return mark.pointed if isinstance(mark, Note) else isinstance(mark, Points) and bool(mark.drawn)


def part_along(value: float, axis: Axis, panel: Panel, letter: str) -> float:
    """How far along an axis a value is, from 0 to 1."""
    least, most = _extent((panel,), letter, log=axis.log)
    low = place_of(least if axis.low is None else axis.low, axis)
    high = place_of(most if axis.high is None else axis.high, axis)
    at = place_of(value, axis)
    if low is None or high is None or at is None or high <= low:
        return 0.5
    return (at - low) / (high - low)


def drawn_axis(axis: Axis, *, upright: bool) -> Json:
    made: Json = {
        "type": "log" if axis.log else "linear",
        "title": {"text": literal(axis.label), "standoff": 10},
        "automargin": True,
        "gridcolor": "@grid",
        "linecolor": "@muted",
        "tickcolor": "@muted",
        "ticks": "outside",
        "showline": True,
        "zeroline": False,
        **_TICKS[axis.kind],
    }
    if axis.log:
        made["minor"] = {"ticks": "outside", "ticklen": 3, "tickcolor": "@grid"}
    if axis.kind == "category":
        count = len(axis.categories)
        ends = [count - 0.5, -0.5] if upright else [-0.5, count - 0.5]
        return made | {
            "tickmode": "array",
            "tickvals": list(range(count)),
            "ticktext": [literal(name, MOST_TICK) for name in axis.categories],
            "range": ends,
            "showgrid": False,
            "ticks": "",
        }
    return made


def log_ticks(low: float, high: float, *, upright: bool) -> int:
    """The ticks to ask plotly for between two powers of ten: for more than three in each decade
    it labels every digit of each."""
    return max(2, min(7 if upright else 18, int((high - low) / 0.31)))


def place_of(value: float, axis: Axis) -> float | None:
    """Where plotly's ranges and annotations have a value: at its logarithm on a log axis."""
    if not axis.log:
        return value
    return log10(value) if value > 0 else None


def heading(title: str, box: Box) -> Json:
    return {
        "text": literal(title),
        "x": box[0][0],
        "y": box[1][1],
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 14, "color": "@text"},
    }
