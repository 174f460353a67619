"""A figure -> PNG, SVG or PDF, drawn with matplotlib.

No pyplot, no display and no global state: the caller's settings of matplotlib neither matter nor
change. Text stays text in SVG and PDF, where it can be searched, selected and read aloud; the same
figure gives the same bytes. Letters are set for the size of paper that is asked for, so a figure
for a column is a figure asked for with a column's width, not one scaled down to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.sax.saxutils import escape

from archcost.plot.figure import Bars, Figure, Line, Panel, Points
from archcost.plot.matplotlib_labels import label_panel
from archcost.plot.matplotlib_panel import draw_panel
from archcost.plot.matplotlib_style import (
    HATCHES,
    LARGEST,
    LINE,
    SMALL,
    STROKES,
    SYMBOLS,
    TEXT,
    TICK,
    TITLE,
    Ruler,
    Spot,
    across,
    edge,
    hue,
    scaled,
    tick,
)
from archcost.plot.networks import PlotError
from archcost.report.palette import THEMES, ThemeName

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Format = Literal["png", "svg", "pdf"]
FORMATS: Final[tuple[Format, ...]] = ("png", "svg", "pdf")
WIDTH: Final = 7.0
"""Inches: a page of two columns."""
NARROWEST, WIDEST = 2.5, 100.0
DPI: Final = 200
INSTALL: Final = "figures as PNG, SVG and PDF need matplotlib: pip install 'archcost[plot]'"

_NARROW: Final = 2.6
"""Inches that a panel is wide at least, where several stand side by side."""
_LEAST: Final = 0.6
"""Inches that a panel is wide at least without what is around it, and half as high."""
_TOO_SMALL: Final = "at this size nothing is left for the panels: make the figure wider or higher"
_EDGE: Final = 0.1
"""Inches between the texts around the panels and the figure's edge."""


class MissingMatplotlibError(PlotError, ImportError):
    """matplotlib, or what places the labels, is not installed."""


def draw(
    figure: Figure,
    format_: Format,
    *,
    theme: ThemeName = "light",
    width: float | None = None,
    height: float | None = None,
) -> bytes:
    """The figure as a file.

    Args:
        figure: what to draw.
        format_: one of :data:`FORMATS`.
        theme: for light or dark ground.
        width, height: inches; default :data:`WIDTH`, and as high as what is in it needs. PNG has
            :data:`DPI` pixels an inch.

    Raises:
        MissingMatplotlibError: with what to install.
        PlotError: no such format, or a size out of range.
    """
    if format_ not in FORMATS:
        raise PlotError(f"figures are drawn as {', '.join(FORMATS)}, not as {format_!r:.60}")
    with drawing(figure, theme=theme, width=width, height=height) as canvas, BytesIO() as file:
        canvas.savefig(
            file,
            format=format_,
            dpi=DPI if format_ == "png" else 72,
            metadata=_metadata(figure, format_),
        )
        data = file.getvalue()
    return _described(data, figure) if format_ == "svg" else data


@contextmanager
def drawing(
    figure: Figure,
    *,
    theme: ThemeName = "light",
    width: float | None = None,
    height: float | None = None,
) -> Iterator[Canvas]:
    """The figure as matplotlib's, to be saved while the settings that it is drawn with hold.

    Args and Raises: as for :func:`draw`.
    """
    for size in (width, height):
        if size is not None and not NARROWEST <= size <= WIDEST:
            raise PlotError(f"a figure is {NARROWEST} to {WIDEST:g} inches wide and high")
    with _settings(theme):
        yield _Drawing(figure, theme, width or WIDTH, height).canvas


def _metadata(figure: Figure, format_: Format) -> dict[str, Any]:
    """What stands in the file about it; None leaves out what differs from day to day."""
    if format_ == "png":
        return {"Software": None, "Title": figure.title, "Description": figure.alt}
    if format_ == "svg":
        return {"Date": None, "Creator": None}
    return {
        **dict.fromkeys(("CreationDate", "Producer", "Creator")),
        "Title": figure.title,
        "Subject": figure.alt,
    }


@contextmanager
def _settings(theme: ThemeName) -> Iterator[None]:
    """matplotlib's own defaults and ours, whatever the caller's are, and then the caller's."""
    try:
        import matplotlib
        import textalloc  # noqa: F401 (here, where it can be said)
    except ImportError:
        raise MissingMatplotlibError(INSTALL) from None
    colors = THEMES[theme]
    fresh: dict[Any, Any] = {
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith("backend")
    }
    own: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "archcost",
        "pdf.fonttype": 42,
        # Dollar signs and backslashes in names are no formulas.
        "text.parse_math": False,
        "text.color": colors.text,
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
        "font.size": TEXT,
        "axes.labelcolor": colors.text,
        "axes.edgecolor": colors.muted,
        "axes.facecolor": colors.background,
        "axes.linewidth": 0.7,
        "figure.facecolor": colors.background,
        "savefig.facecolor": colors.background,
        "xtick.color": colors.muted,
        "ytick.color": colors.muted,
        "xtick.labelcolor": colors.text,
        "ytick.labelcolor": colors.text,
        "xtick.labelsize": TICK,
        "ytick.labelsize": TICK,
        "grid.color": colors.grid,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.5,
    }
    with matplotlib.rc_context({**fresh, **own}), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box in PNG and PDF; in SVG it is a letter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _described(data: bytes, figure: Figure) -> bytes:
    """The SVG with its title and description, for those who hear it instead of seeing it."""
    text = data.decode()
    end = text.index(">", text.index("<svg "))
    title, alt = f"{figure.key}-title", f"{figure.key}-desc"
    return (
        f'{text[:end]} role="img" aria-labelledby="{title} {alt}">\n'
        f' <title id="{title}">{escape(figure.title)}</title>\n'
        f' <desc id="{alt}">{escape(figure.alt)}</desc>{text[end + 1 :]}'
    ).encode()


class _Drawing:
    """A figure on matplotlib's canvas: what stands around the panels, then the panels."""

    def __init__(
        self, figure: Figure, theme: ThemeName, width: float, height: float | None
    ) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

        self.figure = figure
        self.theme = THEMES[theme]
        self.width = width
        fitting = max(1, int(width / _NARROW))
        self.columns = max(1, min(figure.columns, fitting, len(figure.panels)))
        self.inches = width / self.columns - 0.6
        self.rows = ceil(len(figure.panels) / self.columns)
        self.canvas = Canvas(figsize=(width, height or width), dpi=DPI)
        canvas: Any = FigureCanvasAgg(self.canvas)
        self.renderer = canvas.get_renderer()
        self.ruler = Ruler(self.renderer, DPI)
        above, legends, below = self._head(), self._legends(), self._foot()
        room = [inches for _, inches in (*above, *legends)]
        top = sum(room) + 0.14
        bottom = len(below) * SMALL * LINE / 72 + (0.1 if below else 0)
        rows = [self._row_height(row) for row in range(self.rows)]
        self.height = height or top + sum(rows) + bottom
        self.canvas.set_size_inches(width, self.height)
        self._place(above, legends, below)
        self._panels(rows, top, bottom)

    def _text(self, line: str, size: float, color: str, **style: Any) -> Any:
        return self.canvas.text(0, 0, line, size=size, color=color, va="top", **style)

    def _head(self) -> list[tuple[list[Any], float]]:
        """The lines of the title and of the subtitle, and the inches that each takes."""
        room = self.width - 2 * _EDGE
        blocks = []
        for text, size, color, weight in (
            (self.figure.title, TITLE, self.theme.text, "bold"),
            (self.figure.subtitle, TEXT, self.theme.muted, "normal"),
        ):
            lines = self.ruler.wrapped(text, size, room, weight)
            texts = [self._text(line, size, color, weight=weight) for line in lines]
            blocks.append((texts, len(lines) * size * LINE / 72))
        return blocks

    def _foot(self) -> list[Any]:
        return [
            self._text(line, SMALL, self.theme.muted)
            for note in self.figure.notes
            for line in self.ruler.wrapped(note, SMALL, self.width - 2 * _EDGE)
        ]

    def _legends(self) -> list[tuple[Any, float]]:
        """The legend of marks and that of sizes, and the inches that each takes."""
        marks = [(self._handle(mark), mark.name) for mark in self.figure.legend()]
        found = []
        if len(marks) > 1:
            found.append(self._legend(marks, labelspacing=0.45))
        if sizes := self._sizes():
            found.append(self._legend(sizes, labelspacing=2, handlelength=LARGEST / TICK))
        return found

    def _legend(self, handles: Sequence[tuple[Any, str]], **style: Any) -> tuple[Any, float]:
        """A legend in as few rows as fit the width."""
        room = self.width - 2 * _EDGE
        names = [self.ruler.fitted(name, TICK, 0.75 * room) for _, name in handles]
        legend: Any = None
        for columns in range(min(len(handles), 10), 0, -1):
            if legend is not None:
                legend.remove()
            legend = self.canvas.legend(
                [handle for handle, _ in handles],
                names,
                ncols=columns,
                loc="center left",
                frameon=False,
                fontsize=TICK,
                columnspacing=1.4,
                handletextpad=0.5,
                borderaxespad=0,
                borderpad=0.2,
                **{"handlelength": 2.2, **style},
            )
            extent = legend.get_window_extent(self.renderer)
            if extent.width <= DPI * room:
                break
        inches = legend.get_window_extent(self.renderer).height / DPI + 0.02
        # A legend's height knows of no marker larger than its text.
        largest = max(getattr(handle, "get_markersize", lambda: 0)() for handle, _ in handles)
        return legend, inches + max(0, largest - 1.5 * TICK) / 72

    def _handle(self, mark: Points | Line | Bars) -> Any:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        color = hue(self.theme, mark.color)
        if isinstance(mark, Bars) or (isinstance(mark, Line) and mark.base is not None):
            hatch = HATCHES[mark.hatch % len(HATCHES)] if isinstance(mark, Bars) else ""
            return Patch(facecolor=color, edgecolor=self.theme.background, hatch=hatch)
        if isinstance(mark, Line):
            shape = SYMBOLS[mark.marker] if mark.marker else ""
            stroke = STROKES[mark.dash]
            return Line2D([], [], color=color, ls=stroke, marker=shape, ms=4, lw=1.4)
        return Line2D(
            [],
            [],
            ls="",
            marker=SYMBOLS[mark.marker],
            ms=5.5,
            mfc=color if mark.filled else self.theme.background,
            mec=edge(color) if mark.filled else color,
            mew=0.6 if mark.filled else 1.2,
        )

    def _sizes(self) -> list[tuple[Any, str]]:
        from matplotlib.lines import Line2D

        sizes = next((panel.sizes for panel in self.figure.panels if panel.sizes), None)
        if sizes is None:
            return []
        return [
            (
                Line2D(
                    [],
                    [],
                    ls="",
                    marker="o",
                    ms=across(example, sizes.largest, scaled(self.inches)),
                    mfc="none",
                    mec=self.theme.muted,
                    mew=0.8,
                ),
                f"{tick(example, sizes.kind)} {sizes.label}",
            )
            for example in sizes.examples
        ]

    def _place(
        self,
        above: Sequence[tuple[list[Any], float]],
        legends: Sequence[tuple[Any, float]],
        below: Sequence[Any],
    ) -> None:
        """Put the texts where they belong, now that the height is known."""
        left = _EDGE / self.width
        top = self.height - 0.08
        for texts, inches in above:
            for number, text in enumerate(texts):
                text.set_position((left, (top - number * inches / len(texts)) / self.height))
            top -= inches
        for legend, inches in legends:
            legend.set_bbox_to_anchor((left, (top - 0.02 - inches / 2) / self.height))
            top -= inches
        for number, text in enumerate(below):
            place = 0.05 + (len(below) - number) * SMALL * LINE / 72
            text.set_position((left, place / self.height))

    def _row_height(self, row: int) -> float:
        """Inches of a row of panels, with its labels."""
        panels = self.figure.panels[row * self.columns : (row + 1) * self.columns]
        return max(map(self._panel_height, panels))

    def _panel_height(self, panel: Panel) -> float:
        if panel.y.kind == "category":
            around = 0.4 + (0.2 if panel.title else 0) + (0.2 if panel.x.label else 0)
            return around + 0.235 * len(panel.y.categories)
        if len(self.figure.panels) == 1:
            return min(0.4 + 0.52 * self.width, 4.6)
        return 2.15

    def _panels(self, rows: Sequence[float], top: float, bottom: float) -> None:
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        figure = self.figure
        grid = self.canvas.add_gridspec(self.rows, self.columns, height_ratios=rows)
        spots: list[Spot] = []
        for place, panel in enumerate(figure.panels):
            first = spots[0].axes if spots else None
            axes = self.canvas.add_subplot(
                grid[divmod(place, self.columns)],
                sharex=first if figure.share_x else None,
                sharey=first if figure.share_y else None,
            )
            spot = Spot(panel, axes, self.theme, self.inches, scaled(self.inches), self.ruler)
            last = place + self.columns >= len(figure.panels)
            draw_panel(spot, figure, bottom=last, left=place % self.columns == 0)
            spots.append(spot)
        # Of the whole: left, bottom, width and height that are the panels'.
        low, high = bottom / self.height, 1 - top / self.height
        engine = ConstrainedLayoutEngine(
            rect=(0.005, low, 0.985, max(0.1, high - low)), w_pad=0.05, h_pad=0.05
        )
        self.canvas.set_layout_engine(engine)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="constrained_layout not applied")
            try:
                self.canvas.draw_without_rendering()
            except UserWarning:
                raise PlotError(_TOO_SMALL) from None
        self.canvas.set_layout_engine("none")
        extents = [spot.axes.get_window_extent() for spot in spots]
        if any(min(2 * box.height, box.width) < _LEAST * DPI for box in extents):
            raise PlotError(_TOO_SMALL)
        for spot in spots:
            label_panel(spot, self.renderer)
