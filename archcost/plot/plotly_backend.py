"""A figure -> plotly's JSON, and a page of its own.

plotly itself is not needed to make the JSON; the page has plotly.js in it, see
:mod:`archcost.plot.bundle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from archcost.plot.bundle import (
    INSTALL,
    MissingLibraryError,
    colors,
    ending,
    figure_data,
    loader,
    nonce,
    packed_script,
    policy,
    static,
)
from archcost.plot.figure import (
    Axis,
    Bars,
    Figure,
    Line,
    Note,
    Panel,
    Points,
)
from archcost.plot.networks import written
from archcost.plot.plotly_axes import (
    Box,
    Grid,
    drawn_axis,
    heading,
    log_ticks,
    number_of,
    range_of,
    width_beyond,
)
from archcost.plot.plotly_marks import (
    drawn_bars,
    drawn_line,
    drawn_note,
    drawn_points,
    end_text,
    lower_edge,
    names_beside,
)
from archcost.plot.plotly_texts import Json, literal
from archcost.report.palette import ThemeName

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Arial, sans-serif"


def spec(figure: Figure, theme: ThemeName = "light") -> Json:
    """The figure as plotly takes it: ``data``, ``layout`` and ``config``, plain JSON."""
    made = themed(figure)
    made.pop("narrow", None)
    made["data"] = list(map(_shown, made["data"]))
    filled: Json = _colored(made, colors()[theme])
    return filled


def themed(figure: Figure) -> Json:
    """:func:`spec` as figures.js takes it.

    No theme is chosen yet: where it has a colour, under keys that end in ``color``, stands
    ``@name`` or, with an opacity, ``@name/0.3``. ``hovertext`` has lines of plain letters.
    ``narrow`` says what a phone's width changes.
    """
    drawing = _Drawing(figure)
    made = {
        "data": [_brief(trace) for trace in drawing.traces],
        "layout": drawing.layout(),
        "config": _config(figure),
    }
    narrow = drawing.narrow()
    return made | ({"narrow": narrow} if narrow else {})


def html(figure: Figure) -> str:
    """A page of the figure alone: one file that works offline, light or dark as the system is.

    Raises:
        MissingLibraryError: plotly or Jinja2 is not installed.
    """
    data = figure_data(themed(figure))
    allowed = nonce(repr(figure), data, loader(), packed_script())
    text: str = _page().render(
        figure=figure,
        notes=captions(figure),
        panels=[
            {"title": panel.title, "heads": _heads(panel), "rows": list(_rows(panel))}
            for panel in figure.panels
        ],
        spec=data,
        colors=colors(),
        ending=ending(allowed),
        policy=policy(allowed),
    )
    return text


def captions(figure: Figure) -> tuple[str, ...]:
    """The notes that stand below the figure, and what its areas mean, of which matplotlib's has a
    legend."""
    sizes = next((panel.sizes for panel in figure.panels if panel.sizes), None)
    if sizes is None:
        return figure.notes
    largest = written(sizes.largest, sizes.kind)
    return (f"Areas: the largest point has {largest} {sizes.label}.", *figure.notes)


@cache
def _page() -> Any:
    """The template of a page with one figure."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise MissingLibraryError(f"an HTML page needs Jinja2: {INSTALL}") from None
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(static("figure.html"))


def _heads(panel: Panel) -> tuple[str, ...]:
    return "", panel.x.label, panel.y.label, ""


def _rows(panel: Panel) -> Iterator[tuple[str, ...]]:
    """What a panel shows, in words, for those who cannot point at it."""
    for mark in panel.marks:
        if isinstance(mark, Note):
            continue
        xs, ys = (mark.values, mark.at) if isinstance(mark, Bars) else (mark.x, mark.y)
        labels = mark.labels if isinstance(mark, Points) else ()
        for place, (x, y) in enumerate(zip(xs, ys, strict=True)):
            words = mark.hover[place] if mark.hover else labels[place : place + 1]
            yield mark.name, _number(x, panel.x), _number(y, panel.y), "; ".join(words)


def _number(value: float, axis: Axis) -> str:
    if axis.kind == "category" and 0 <= round(value) < len(axis.categories):
        return axis.categories[round(value)]
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _shown(trace: Json) -> Json:
    """The trace with its lines as plotly.js draws them, which figures.js does in a page."""
    if "hovertext" not in trace:
        return trace
    texts = [literal(text).replace("\n", "<br>") for text in trace["hovertext"]]
    return {**trace, "hovertext": texts}


def _colored(thing: Any, names: Mapping[str, str], *, is_color: bool = False) -> Any:
    """What figures.js does in a page."""
    if isinstance(thing, str) and is_color and thing.startswith("@"):
        name, _, opacity = thing[1:].partition("/")
        code = names[name]
        if not opacity:
            return code
        return f"rgba({','.join(str(int(code[at : at + 2], 16)) for at in (1, 3, 5))},{opacity})"
    if isinstance(thing, list):
        return [_colored(one, names, is_color=is_color) for one in thing]
    if isinstance(thing, dict):
        return {k: _colored(v, names, is_color=k.endswith("color")) for k, v in thing.items()}
    return thing


def _brief(trace: Json) -> Json:
    """The trace with as many digits as a drawing can show."""
    return {
        key: [float(f"{n:.6g}") if type(n) is float else n for n in value]
        if key in ("x", "y", "base")
        else value
        for key, value in trace.items()
    }


def _config(figure: Figure) -> Json:
    return {
        "responsive": True,
        "displaylogo": False,
        # Named one by one: plotly.js has a button that sends the data to its makers' server.
        "modeBarButtons": [
            ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"],
        ],
        "plotlyServerURL": "",
        "toImageButtonOptions": {"format": "svg", "filename": figure.key},
    }


class _Drawing:
    """The traces, axes and annotations of a figure, panel by panel."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.traces: list[Json] = []
        self.annotations: list[Json] = []
        self.axes: Json = {}
        self._named = {mark.name: place for place, mark in enumerate(figure.legend())}
        self._shown: set[str] = set()
        self._columns = max(1, min(figure.columns, len(figure.panels)))
        self._beyond = max((width_beyond(panel) for panel in figure.panels), default=0)
        grid = Grid(figure, self._columns, self._beyond)
        self.height = grid.height
        for number, panel in enumerate(figure.panels):
            self._panel(panel, number, grid.boxes[number])

    def layout(self) -> Json:
        sized = any(panel.sizes for panel in self.figure.panels)
        return {
            "autosize": True,
            "height": self.height + 90,
            "margin": {"l": 12, "r": 16 + self._beyond, "t": 28, "b": 12, "autoexpand": True},
            "font": {"family": _FONT, "size": 13, "color": "@text"},
            "paper_bgcolor": "@background",
            "plot_bgcolor": "@background",
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": "@background",
                "bordercolor": "@muted",
                "align": "left",
                "font": {"color": "@text"},
            },
            "modebar": {"bgcolor": "@background/0", "color": "@muted", "activecolor": "@text"},
            "showlegend": bool(self._named),
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1 + 10 / self.height,
                "yanchor": "bottom",
                "itemsizing": "constant" if sized else "trace",
                "bgcolor": "@background/0",
            },
            "barmode": "overlay",
            "bargap": 0.25,
            "uniformtext": {"mode": "hide", "minsize": 10},
            "uirevision": "kept",
            "annotations": self.annotations,
            **self.axes,
        }

    def narrow(self) -> Json:
        """What a phone's width changes of the layout: the panels stand one below the other."""
        if self._columns == 1:
            return {}
        grid = Grid(self.figure, 1, self._beyond)
        domains = {}
        for number, (across, along) in enumerate(grid.boxes):
            domains[f"xaxis{number_of(number)}"] = across
            domains[f"yaxis{number_of(number)}"] = along
        tops = [
            box[1][1]
            for panel, box in zip(self.figure.panels, grid.boxes, strict=True)
            if panel.title
        ]
        return {"height": grid.height + 90, "domains": domains, "headings": tops}

    def _panel(self, panel: Panel, number: int, box: Box) -> None:
        figure, axis_number = self.figure, number_of(number)
        column = number % self._columns
        last = number + self._columns >= len(figure.panels)
        for letter, axis, domain, other, same, titled in (
            ("x", panel.x, box[0], "y", figure.share_x, last or self._columns > 1),
            ("y", panel.y, box[1], "x", figure.share_y, column == 0 or self._columns == 1),
        ):
            made = drawn_axis(axis, upright=letter == "y")
            made |= {"domain": list(domain), "anchor": f"{other}{axis_number}"}
            made |= range_of(axis, figure.panels if same else (panel,), letter)
            if axis.log and "range" in made:
                made["nticks"] = log_ticks(*made["range"], upright=letter == "y")
            if same and number:
                made["matches"] = letter
            if same and not titled:
                made["title"]["text"] = ""
            self.axes[f"{letter}axis{axis_number}"] = made
        where = {"xaxis": f"x{axis_number}", "yaxis": f"y{axis_number}"}
        labels = []
        if panel.title:
            # The headings come before all other annotations: figures.js moves them.
            place = sum(1 for earlier in figure.panels[:number] if earlier.title)
            self.annotations.insert(place, heading(panel.title, box))
        for mark in panel.marks:
            if isinstance(mark, Points):
                made = drawn_points(mark, panel)
                if mark.drawn and mark.labels:
                    beside = names_beside(mark, made, panel)
                    labels.append({**beside, **self._with(mark.name), "showlegend": False, **where})
            elif isinstance(mark, Line):
                if mark.base is not None and any(mark.base):
                    self.traces.append({**lower_edge(mark), **where})
                made = drawn_line(mark)
                if mark.end and mark.x:
                    self.annotations.append(end_text(mark, panel, axis_number))
            elif isinstance(mark, Bars):
                made = drawn_bars(mark)
            else:
                self.traces.append({**drawn_note(mark, panel), **where})
                continue
            self.traces.append({**made, **self._in_legend(mark.name), **where})
        self.traces += labels

    def _with(self, name: str) -> Json:
        """What a click on the entry ``name`` of the legend hides, in all panels."""
        return {"legendgroup": f"group{self._named[name]}"} if name else {}

    def _in_legend(self, name: str) -> Json:
        if not name:
            return {"showlegend": False}
        first = name not in self._shown
        self._shown.add(name)
        return {"name": literal(name), "showlegend": first, **self._with(name)}
