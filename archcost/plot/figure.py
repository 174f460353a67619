"""A figure as data: panels with axes and marks, in no drawing library's words.

The figures of :mod:`archcost.plot.figures` are made of these; a backend draws them. All text in
them can be shown as it is: controls are written as escapes, and nothing is longer than
:data:`MOST_TEXT`. It is not escaped for a format (XML, HTML, TeX), which is the backend's business.
"""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from archcost.report.format import shortened as cut

SCHEMA: Final = "archcost.figure/1"

MOST_TEXT: Final = 400
"""Characters of any text in a figure."""
MOST_NAME: Final = 36
"""Characters of a name that is drawn."""
MOST_MARKS: Final = 3
"""Combining marks on a letter."""

Kind = Literal["count", "bytes", "seconds", "share", "percent", "number", "index", "category"]
"""How an axis' numbers are written: ``count`` with SI prefixes (10 M), ``bytes`` with decimal
ones (10 MB), ``seconds`` in µs, ms or s, ``share`` (from 0 to 1) and ``percent`` (from 0 to 100) as
percentages, ``number`` as it is; ``index`` has whole numbers that are never scaled, ``category``
names."""

Color = int | Literal["text", "muted"]
"""The place of a hue in the theme's palette (any integer: it wraps around), the colour of text, or
that of what stands in the background."""

Marker = Literal["circle", "square", "triangle", "diamond", "cross", "plus"]
MARKERS: Final[tuple[Marker, ...]] = ("circle", "square", "triangle", "diamond", "cross", "plus")

Dash = Literal["solid", "dashed", "dotted", "dashdot"]
DASHES: Final[tuple[Dash, ...]] = ("solid", "dashed", "dotted", "dashdot")


def shortened(text: str, most: int = MOST_NAME) -> str:
    """As :func:`archcost.report.format.shortened`, for a text that is drawn."""
    return cut(_flat(text), most)


def _flat(text: str) -> str:
    """Without marks that pile up on one letter, more than any language needs: they would cover
    the lines above and below."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= MOST_MARKS:
            kept.append(letter)
    return "".join(kept)


class _Text:
    """Makes every text in a dataclass one that can be shown."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # only dataclasses have this base
            object.__setattr__(self, field.name, _shown(getattr(self, field.name)))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value, MOST_TEXT)
    if isinstance(value, tuple) and value and isinstance(value[0], str | tuple):
        return tuple(map(_shown, value))
    return value


@dataclass(frozen=True)
class Axis(_Text):
    """An axis: ``label`` says what is on it and in which unit.

    ``categories`` are the names along a ``category`` axis, at 0, 1, 2 ..., the first on top of a
    vertical one. ``low`` and ``high`` are its ends where the data does not say them.
    """

    label: str
    kind: Kind = "count"
    log: bool = False
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Points(_Text):
    """Points, as many as ``x`` has. ``name`` is that of the group in the legend ("": not there).

    ``labels`` are the points' names; those to be drawn beside them are at the places ``drawn``,
    the most important first (a backend may leave out what finds no place). ``sizes`` are values
    that the points' areas are proportional to, at the scale of :attr:`Panel.sizes`; none: all
    alike. ``low`` and ``high`` are the ends of a thin vertical line through each point. ``hover``
    has lines of text for each point. No points at all: an entry of the legend.
    """

    name: str
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    color: Color = 0
    marker: Marker = "circle"
    filled: bool = True
    labels: tuple[str, ...] = ()
    drawn: tuple[int, ...] = ()
    sizes: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    hover: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Line(_Text):
    """A line through ``x`` and ``y``.

    ``stepped``: each y holds halfway to the next x; ``corner``: up to the next x. ``base``: the
    area from there to the line is filled. ``marker`` stands at each point (None: none). ``end`` is
    a text beside its last point.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    color: Color = 0
    dash: Dash = "solid"
    marker: Marker | None = None
    stepped: bool = False
    corner: bool = False
    base: tuple[float, ...] | None = None
    end: str = ""
    hover: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Bars(_Text):
    """Horizontal bars: at the category ``at``, from ``starts`` over a length of ``values``.

    ``hatch`` is the place of a pattern (0: none) that tells bars apart where colours do not.
    ``labels`` are texts in the bars, where they fit.
    """

    name: str
    at: tuple[int, ...]
    starts: tuple[float, ...]
    values: tuple[float, ...]
    color: Color = 0
    hatch: int = 0
    labels: tuple[str, ...] = ()
    hover: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Note(_Text):
    """A text at a place of a panel; ``pointed``: with a small mark there, and beside it.

    ``side`` says where the text stands of the place, as far as there is room.
    """

    x: float
    y: float
    text: str
    color: Color = "text"
    pointed: bool = True
    side: Literal["left", "right", "above", "below"] = "above"


Mark = Points | Line | Bars | Note


@dataclass(frozen=True)
class Sizes(_Text):
    """What the areas of a panel's points mean: they are proportional to a number of the given
    kind, of which ``largest`` has the largest point; ``examples`` are values for a legend."""

    label: str
    largest: float
    examples: tuple[float, ...] = ()
    kind: Kind = "count"


@dataclass(frozen=True)
class Panel(_Text):
    """A pair of axes and what is drawn on them, in this order."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""
    sizes: Sizes | None = None


@dataclass(frozen=True)
class Figure(_Text):
    """Panels in rows of ``columns``, from the left and from the top.

    ``key`` names the figure: it is a valid XML id. ``alt`` describes in words what it shows, for
    those who cannot see it. ``notes`` are sentences that stand below it. ``share_x`` and
    ``share_y``: all panels have the same scale, whose labels may be written once. The legend has
    every mark's name once, in order.
    """

    key: str
    title: str
    panels: tuple[Panel, ...]
    alt: str
    subtitle: str = ""
    notes: tuple[str, ...] = ()
    columns: int = 1
    share_x: bool = False
    share_y: bool = False

    def legend(self) -> tuple[Points | Line | Bars, ...]:
        """The first mark of each name, in order."""
        named: dict[str, Points | Line | Bars] = {}
        for panel in self.panels:
            for mark in panel.marks:
                if not isinstance(mark, Note) and mark.name:
                    named.setdefault(mark.name, mark)
        return tuple(named.values())


def document(figure: Figure) -> dict[str, Any]:
    """The figure as plain data, as ``--format json`` writes it; see docs/plot.md."""
    plain = asdict(figure)
    for panel, source in zip(plain["panels"], figure.panels, strict=True):
        panel["marks"] = [
            {"mark": type(mark).__name__.lower(), **data}
            for data, mark in zip(panel["marks"], source.marks, strict=True)
        ]
    return {"schema": SCHEMA, **plain}
