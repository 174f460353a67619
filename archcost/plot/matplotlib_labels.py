"""The texts within a panel that must find a place where they overlap nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from math import hypot
from typing import Any, Final, NamedTuple

from archcost.plot.figure import Bars, Line, Note, Points
from archcost.plot.matplotlib_style import SMALL, Spot, sizes
from archcost.report.palette import ink_on

_POINTED: Final = 3.5
_END: Final = 2.5
"""Points from the middle to the edge of what a note and a line's end are at."""

_MOST: Final = 0.7
"""Part of a panel's width that a text takes at most."""
_DISTANCES: Final = (0.03, 0.07, 0.15)
"""Between a text and what it labels, in parts of the panel; the nearest are tried first."""


class _Data:
    """The coordinates of the data, as matplotlib lets other libraries have coordinates.

    Texts have them anyway; but where textalloc is told of none, it draws everything first.
    """

    def _as_mpl_transform(self, axes: Any) -> Any:
        return axes.transData


class _Label(NamedTuple):
    x: float
    y: float
    text: str
    color: str
    radius: float
    """Pixels around (x, y) that belong to what is labelled."""
    must: bool = False
    """Whether it is rather written over a line than left out."""


def label_panel(spot: Spot, renderer: Any) -> None:
    """Write the panel's labels; those that find no place are left out.

    All else must have its final place on the canvas.
    """
    for mark in spot.panel.marks:
        if isinstance(mark, Bars):
            _in_bars(spot, mark, renderer)
    wanted = [*_notes(spot), *_ends(spot), *_names(spot)]
    if wanted:
        _allocate(spot, wanted)


def _in_bars(spot: Spot, mark: Bars, renderer: Any) -> None:
    """The bars' labels, where they fit."""
    fill = spot.color(mark.color)
    color = ink_on(fill)
    behind = {"fc": fill, "ec": "none", "pad": 0.8} if mark.hatch else None
    for at, start, value, label in zip(
        mark.at, mark.starts, mark.values, mark.labels, strict=False
    ):
        if not label:
            continue
        text = spot.axes.text(
            start + value / 2, at, label, size=SMALL, color=color, ha="center", va="center"
        )
        text.set(zorder=5, bbox=behind)
        left, right = spot.axes.transData.transform([(start, at), (start + value, at)])[:, 0]
        if text.get_window_extent(renderer).width > right - left - 2:
            text.remove()


def _pixels(spot: Spot) -> float:
    """Pixels in a point: textalloc reckons in pixels."""
    return float(spot.axes.get_figure(root=True).dpi) / 72  # type: ignore[union-attr]


def _notes(spot: Spot) -> Iterator[_Label]:
    for note in spot.panel.marks:
        if isinstance(note, Note) and note.pointed:
            yield _Label(
                note.x,
                note.y,
                note.text,
                spot.ink(note.color),
                _POINTED * _pixels(spot),
                must=True,
            )


def _ends(spot: Spot) -> Iterator[_Label]:
    for line in spot.panel.marks:
        if isinstance(line, Line) and line.end and line.x:
            yield _Label(
                line.x[-1],
                line.y[-1],
                line.end,
                spot.ink(line.color),
                _END * _pixels(spot),
                must=True,
            )


def _names(spot: Spot) -> list[_Label]:
    """The points' names that are to be drawn, the most important of each group first."""
    ranked = [
        (rank, order, place, mark)
        for order, mark in enumerate(spot.panel.marks)
        if isinstance(mark, Points)
        for rank, place in enumerate(mark.drawn)
    ]
    ranked.sort(key=lambda item: item[:2])
    return [
        _Label(
            mark.x[place],
            mark.y[place],
            mark.labels[place],
            spot.theme.text,
            sizes(mark, spot)[place] / 2 * _pixels(spot),
        )
        for _, _, place, mark in ranked
    ]


def _allocate(spot: Spot, wanted: list[_Label]) -> None:
    """Write what can be written near, then of the others what can be written farther off."""
    blocks = [
        (x, y, across / 2 * _pixels(spot))
        for mark in spot.panel.marks
        if isinstance(mark, Points)
        for x, y, across in zip(mark.x, mark.y, sizes(mark, spot), strict=True)
    ] + [(label.x, label.y, label.radius) for label in wanted]
    lines = [_corners(mark) for mark in spot.panel.marks if isinstance(mark, Line) and mark.x]
    written: list[Any] = []
    for distance in _DISTANCES:
        texts, leaders = _texts(spot, wanted, blocks, lines, distance)
        left = []
        for label, text, leader in zip(wanted, texts, leaders, strict=True):
            if text is None:
                left.append(label)
            elif leader and _crosses(spot, label, leader, blocks, written):
                left.append(label)
                text.remove()
                leader.remove()
            else:
                text.set_zorder(6)
                written.append(text.get_window_extent())
                lines.append(_outline(spot, written[-1]))
                if leader:
                    x, y = leader.get_data()
                    lines.append((list(x), list(y)))
                    _up_to_the_edge(spot, label, leader)
        wanted = left
        if not wanted:
            return
    _over_lines(spot, [label for label in wanted if label.must], blocks, written)


def _over_lines(
    spot: Spot, wanted: list[_Label], blocks: list[tuple[float, float, float]], written: list[Any]
) -> None:
    """Write over lines what finds no place beside them, on ground of its own."""
    if not wanted:
        return
    outlines = [_outline(spot, box) for box in written]
    texts, leaders = _texts(spot, wanted, blocks, outlines, _DISTANCES[-1])
    ground = {"fc": spot.theme.background, "ec": "none", "pad": 0.6, "alpha": 0.8}
    for label, text, leader in zip(wanted, texts, leaders, strict=True):
        if text is not None:
            text.set(zorder=6, bbox=ground)
        if leader:
            _up_to_the_edge(spot, label, leader)


def _texts(
    spot: Spot,
    wanted: list[_Label],
    blocks: list[tuple[float, float, float]],
    lines: list[tuple[list[float], list[float]]],
    distance: float,
) -> tuple[list[Any], list[Any]]:
    """The texts that have found a place, each with a line to its point or None."""
    import textalloc

    several = [line for line in lines if len(line[0]) > 1]
    options: dict[str, Any] = {
        "x_scatter": [x for x, _, _ in blocks],
        "y_scatter": [y for _, y, _ in blocks],
        "scatter_sizes": [radius for _, _, radius in blocks],
        "x_lines": [x for x, _ in several] or None,
        "y_lines": [y for _, y in several] or None,
        "text_scatter_sizes": [label.radius for label in wanted],
        "textcolor": [label.color for label in wanted],
    }
    # It says on standard output when nothing fits.
    with redirect_stdout(StringIO()):
        _, _, texts, leaders = textalloc.allocate(
            spot.axes,
            [label.x for label in wanted],
            [label.y for label in wanted],
            [spot.ruler.fitted(label.text, SMALL, _MOST * spot.inches) for label in wanted],
            textsize=SMALL,
            linecolor=spot.theme.muted,
            linewidth=0.5,
            margin=0.004,
            min_distance=0.006,
            max_distance=distance,
            nbr_candidates=300,
            draw_all=False,
            avoid_label_lines_overlap=True,
            avoid_crossing_label_lines=True,
            plot_kwargs={"zorder": 5.5},
            transform=_Data(),
            **options,
        )
    return texts, leaders


def _outline(spot: Spot, box: Any) -> tuple[list[float], list[float]]:
    """The edges and a diagonal of a text's box, which no later text may cross."""
    corners = [(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]
    around = spot.axes.transData.inverted().transform([*corners, corners[0], corners[2]])
    return list(around[:, 0]), list(around[:, 1])


def _corners(line: Line) -> tuple[list[float], list[float]]:
    """The line as it is drawn."""
    if line.stepped:
        x = [edge for place in line.x for edge in (place - 0.5, place + 0.5)]
        return x, [value for value in line.y for _ in range(2)]
    if line.corner:
        x = [line.x[0], *(place for place in line.x[1:] for _ in range(2))]
        return x, [value for value in line.y for _ in range(2)][:-1]
    return list(line.x), list(line.y)


def _ends_of(spot: Spot, leader: Any) -> Any:
    """Where a label's line begins, at the text, and where it ends, on the canvas."""
    return spot.axes.transData.transform(list(zip(*leader.get_data(), strict=True)))


def _crosses(
    spot: Spot,
    label: _Label,
    leader: Any,
    blocks: list[tuple[float, float, float]],
    written: list[Any],
) -> bool:
    """Whether a label's line leads across another's text, or across another point, and so seems
    to be that one's."""
    from matplotlib.path import Path

    ends = _ends_of(spot, leader)
    if any(Path(ends).intersects_bbox(box, filled=True) for box in written):
        return True
    (x0, y0), (x1, y1) = ends
    dx, dy = x1 - x0, y1 - y0
    for x, y, radius in blocks:
        if (x, y) == (label.x, label.y):
            continue
        px, py = spot.axes.transData.transform((x, y))
        along = max(0.0, min(1.0, ((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy or 1)))
        # Within its own point it may: others lie on that.
        inside = hypot(x0 + along * dx - x1, y0 + along * dy - y1) <= label.radius
        if not inside and hypot(x0 + along * dx - px, y0 + along * dy - py) < radius:
            return True
    return False


def _up_to_the_edge(spot: Spot, label: _Label, leader: Any) -> None:
    """Let a label's line end at the edge of the point, not in its middle; drop a short one."""
    transform = spot.axes.transData
    (x0, y0), (x1, y1) = _ends_of(spot, leader)
    length = hypot(x1 - x0, y1 - y0)
    if length <= label.radius + 2:
        leader.remove()
        return
    kept = 1 - label.radius / length
    leader.set_data(
        *zip(
            *transform.inverted().transform(
                [(x0, y0), (x0 + kept * (x1 - x0), y0 + kept * (y1 - y0))]
            ),
            strict=True,
        )
    )
