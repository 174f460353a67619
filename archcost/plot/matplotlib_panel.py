"""A panel on matplotlib's axes: scales, ticks and marks, but for texts that must find a place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from typing import Any, Final

from archcost.plot.figure import Axis, Bars, Figure, Line, Note, Panel, Points
from archcost.plot.matplotlib_style import (
    AREAS,
    HATCHES,
    OPAQUE,
    SMALL,
    STROKES,
    SYMBOLS,
    TEXT,
    TICK,
    Spot,
    edge,
    sizes,
    tick,
)

_MANY: Final = 200
"""Points of a line from which on it is thin, lest it fills what it goes up and down in."""
_FEW_DECADES: Final = 1.7
_NAMES: Final = 0.42
"""Part of a panel's width that names beside it take at most."""
_HIGH: Final = 2.0
"""Inches along a vertical axis for its label."""
_HEADROOM: Final = 0.16
"""Part of the data's height that is left free above it for texts at its highest points."""


def draw_panel(spot: Spot, figure: Figure, *, bottom: bool, left: bool) -> None:
    """Draw the marks and axes; ``bottom`` and ``left``: shared labels are written here."""
    panel, axes = spot.panel, spot.axes
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)
    _scale(spot, panel.x, axes.xaxis, axes.set_xscale, _values(figure, panel, "x"))
    _scale(spot, panel.y, axes.yaxis, axes.set_yscale, _values(figure, panel, "y"))
    for order, mark in enumerate(panel.marks):
        match mark:
            case Points():
                _points(spot, mark, 3 + order / 1000)
            case Line():
                _line(spot, mark, 2 + order / 1000)
            case Bars():
                _bars(spot, mark)
            case Note():
                _beside(spot, mark)
    _limits(spot, figure)
    if panel.title:
        lines = spot.ruler.wrapped(panel.title, TEXT, spot.inches, most=3)
        axes.set_title("\n".join(lines), loc="left", size=TEXT, pad=5)
    if figure.share_x and not bottom:
        axes.tick_params(labelbottom=False)
    elif panel.x.label:
        lines = spot.ruler.wrapped(panel.x.label, TEXT, spot.inches, most=3)
        axes.set_xlabel("\n".join(lines), size=TEXT)
    if figure.share_y and not left:
        axes.tick_params(labelleft=False)
    elif panel.y.label:
        lines = spot.ruler.wrapped(panel.y.label, TEXT, _HIGH, most=2)
        axes.set_ylabel("\n".join(lines), size=TEXT)


def _scale(
    spot: Spot, axis: Axis, ruler: Any, set_scale: Callable[[str], None], values: Sequence[float]
) -> None:
    """The scale, ticks and grid of an axis; ``ruler`` is matplotlib's."""
    from matplotlib import ticker

    if axis.kind == "category":
        ruler.set_major_locator(ticker.FixedLocator(range(len(axis.categories))))
        room = _NAMES * spot.inches
        names = [spot.ruler.fitted(name, TICK, room) for name in axis.categories]
        ruler.set_major_formatter(ticker.FixedFormatter(names))
        ruler.set_minor_locator(ticker.NullLocator())
        ruler.set_tick_params(length=0)
        return
    ruler.grid(True)
    if axis.log:
        set_scale("log")
        positive = [value for value in values if value > 0]
        decades = log10(max(positive, default=1) / min(positive, default=1))
        few = decades < _FEW_DECADES
        ruler.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if few else (1,), numticks=9))
        ruler.set_minor_formatter(ticker.NullFormatter())
        if few:
            ruler.set_minor_locator(ticker.NullLocator())
    else:
        whole = axis.kind == "index"
        ruler.set_major_locator(
            ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1)
        )
    ruler.set_major_formatter(ticker.FuncFormatter(lambda value, _: tick(value, axis.kind)))


def _values(figure: Figure, panel: Panel, name: str) -> list[float]:
    """Everything along an axis of the panel, those of the others too where they share it."""
    shared = figure.share_x if name == "x" else figure.share_y
    found: list[float] = []
    for one in figure.panels if shared else (panel,):
        axis = one.x if name == "x" else one.y
        found += [end for end in (axis.low, axis.high) if end is not None]
        for mark in one.marks:
            if isinstance(mark, Points | Line):
                found += mark.x if name == "x" else mark.y
            if isinstance(mark, Points) and name == "y":
                found += (*mark.low, *mark.high)
    return found


def _limits(spot: Spot, figure: Figure) -> None:
    panel, axes = spot.panel, spot.axes
    told = any(
        (isinstance(mark, Note) and mark.pointed) or (isinstance(mark, Points) and mark.drawn)
        for mark in panel.marks
    )
    for name, axis, set_limits in (
        ("x", panel.x, axes.set_xlim),
        ("y", panel.y, axes.set_ylim),
    ):
        if axis.kind == "category":
            set_limits(len(axis.categories) - 0.45, -0.55)
            continue
        values = _values(figure, panel, name)
        if axis.log:
            values = [value for value in values if value > 0]
        if not values:
            continue
        low, high = _padded(min(values), max(values), axis.log, told and name == "y")
        low = low if axis.low is None else axis.low
        set_limits(low, high if axis.high is None else axis.high)


def _padded(low: float, high: float, log: bool, told: bool) -> tuple[float, float]:
    """The ends of an axis for data from ``low`` to ``high``."""
    above = _HEADROOM if told else 0.07
    if log:
        span = high / low if high > low else 10.0
        return low / max(span**0.07, 1.15), high * max(span**above, 1.15)
    span = high - low or abs(high) or 1.0
    return low if low == 0 else low - 0.07 * span, high + above * span


def _points(spot: Spot, mark: Points, order: float) -> None:
    if not mark.x:
        return
    color = spot.color(mark.color)
    spot.axes.scatter(
        mark.x,
        mark.y,
        s=[AREAS[mark.marker] * across**2 for across in sizes(mark, spot)],
        marker=SYMBOLS[mark.marker],
        facecolors=[color if mark.filled else spot.theme.background],
        edgecolors=[edge(color) if mark.filled else color],
        linewidths=0.6 if mark.filled else 1.2,
        alpha=OPAQUE,
        zorder=order,
    )
    if mark.low:
        spot.axes.vlines(
            mark.x, mark.low, mark.high, color=spot.theme.text, lw=0.7, zorder=order + 0.5
        )


def _line(spot: Spot, mark: Line, order: float) -> None:
    if not mark.x:
        return
    color = spot.color(mark.color)
    x, y, base = mark.x, mark.y, mark.base
    if mark.stepped:  # so that the first and last hold for a whole step, too
        x = (x[0] - 0.5, *x, x[-1] + 0.5)
        y = (y[0], *y, y[-1])
        base = None if base is None else (base[0], *base, base[-1])
    if base is not None:
        spot.axes.fill_between(
            x,
            y,
            base,
            step="mid" if mark.stepped else None,
            color=color,
            alpha=0.75,
            lw=0,
            zorder=order,
        )
    spot.axes.plot(
        x,
        y,
        drawstyle="steps-mid" if mark.stepped else "steps-post" if mark.corner else "default",
        color=color,
        ls=STROKES[mark.dash],
        lw=0.8 if base is not None or len(x) > _MANY else 1.3,
        zorder=order,
    )
    if mark.marker:
        spot.axes.plot(
            mark.x,
            mark.y,
            ls="",
            marker=SYMBOLS[mark.marker],
            ms=3.6,
            color=color,
            mec=spot.theme.background,
            mew=0.4,
            zorder=order,
        )


def _bars(spot: Spot, mark: Bars) -> None:
    spot.axes.barh(
        mark.at,
        mark.values,
        left=mark.starts,
        height=0.72,
        color=spot.color(mark.color),
        edgecolor=spot.theme.background,
        hatch=HATCHES[mark.hatch % len(HATCHES)],
        linewidth=0.6,
        zorder=2,
    )


def _beside(spot: Spot, note: Note) -> None:
    """A note that has its own place; a pointed one finds it when all else is drawn."""
    if note.pointed:
        spot.axes.plot(
            [note.x],
            [note.y],
            ls="",
            marker="o",
            ms=5,
            mfc="none",
            mec=spot.color(note.color),
            mew=1,
            zorder=5,
        )
        return
    shift, ha, va = {
        "left": ((-3, 0), "right", "center"),
        "right": ((3, 0), "left", "center"),
        "above": ((0, 3), "center", "bottom"),
        "below": ((0, -3), "center", "top"),
    }[note.side]
    spot.axes.annotate(
        spot.ruler.fitted(note.text, SMALL, _NAMES * spot.inches),
        (note.x, note.y),
        xytext=shift,
        textcoords="offset points",
        ha=ha,
        va=va,
        size=SMALL + 0.2,
        color=spot.ink(note.color),
        annotation_clip=False,
    )
