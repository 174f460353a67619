"""plotly's JSON of figures, as plotly itself understands it."""

from __future__ import annotations

import json
import re
from html import unescape

import hostile
import plotly.graph_objects as go
import pytest

import archcost
from archcost.plot.figure import Axis, Bars, Figure, Line, Note, Panel, Points, Sizes
from archcost.plot.kinds import kinds_figure, totals_figure
from archcost.plot.layers import cumulative_figure, depth_figure
from archcost.plot.memory import memory_figure
from archcost.plot.plotly_backend import html, spec, themed
from archcost.plot.plotly_marks import LARGEST
from archcost.plot.roofline import intensity_figure
from archcost.plot.scatter import costs_figure
from archcost.report.palette import THEMES

SOME = ("simplenet", "vgg16", "squeezenet")
EVERY = (
    depth_figure,
    cumulative_figure,
    kinds_figure,
    totals_figure,
    memory_figure,
    intensity_figure,
    costs_figure,
)
X = Axis("MACs", "count", log=True)
Y = Axis("Accuracy", "percent")


@pytest.fixture(scope="module")
def analyses():
    return [archcost.analyze(archcost.load(name)) for name in SOME]


def figure(*marks, x=X, y=Y, **about):
    about = {"key": "k", "title": "T", "alt": "A", **about}
    return Figure(panels=(Panel(x, y, marks, sizes=Sizes("Parameters", 100.0)),), **about)


def drawn(made):
    """What plotly understands of a spec; it refuses what it does not know."""
    return go.Figure({"data": made["data"], "layout": made["layout"]})


def texts(thing):
    """Every text in a spec."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            if key not in ("customdata", "meta"):  # which plotly.js does not draw
                yield from texts(value)
    elif isinstance(thing, list):
        for one in thing:
            yield from texts(one)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("make", EVERY)
def test_plotly_takes_every_figure(analyses, make, number, theme):
    made = make(analyses[:number])
    plain = spec(made, theme)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert set(plain) == {"data", "layout", "config"}
    shown = drawn(plain)
    names = [trace.name for trace in shown.data if trace.showlegend]
    assert names == [mark.name for mark in made.legend()]
    assert shown.layout.paper_bgcolor == THEMES[theme].background
    assert not [text for text in texts(plain) if text.startswith("@")]
    titles = [one.text for one in shown.layout.annotations]
    assert titles[: len(made.panels)] == [p.title for p in made.panels if p.title] or not titles


@pytest.mark.parametrize("make", EVERY)
def test_every_panel_has_axes_of_its_own(analyses, make):
    made = make(analyses)
    layout = spec(made)["layout"]
    boxes = []
    for number, panel in enumerate(made.panels, 1):
        end = "" if number == 1 else str(number)
        x, y = layout[f"xaxis{end}"], layout[f"yaxis{end}"]
        assert x["type"] == ("log" if panel.x.log else "linear")
        boxes.append((*x["domain"], *y["domain"]))
        assert all(0 <= side <= 1 for side in boxes[-1])
    for left, right, bottom, top in boxes:
        for other in boxes:
            apart = other[0] >= right or other[1] <= left or other[2] >= top or other[3] <= bottom
            assert apart or other == (left, right, bottom, top)


def test_the_numbers_are_those_of_the_figure(analyses):
    made = costs_figure(analyses, size="activations")
    points = {}
    for trace in spec(made)["data"]:
        if "hovertext" in trace:
            for x, y, said in zip(trace["x"], trace["y"], trace["hovertext"], strict=True):
                points[said.split("<br>")[0]] = (x, y)
    for analysis in analyses:
        expected = (analysis.totals.macs, analysis.totals.params)
        assert points[analysis.graph.metadata["title"]] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", hostile.STRINGS)
def test_names_are_drawn_letter_by_letter(name):
    called = hostile.STRINGS[name]
    made = figure(
        Points(called, (1.0,), (2.0,), labels=(called,), drawn=(0,), hover=((called, called),)),
        Line(called, (1.0, 2.0), (1.0, 2.0), end=called, hover=((called,), (called,))),
        Bars(called, (0,), (0.0,), (1.0,), labels=(called,)),
        Note(1.0, 1.0, called),
        title=called,
        alt=called,
        x=Axis(called, "count"),
        y=Axis(called, "category", categories=(called, "b")),
    )
    plain = spec(made)
    drawn(plain)
    for text in texts(plain):
        for piece in text.split("<br>"):
            assert "<" not in piece
            assert ">" not in piece
            assert not re.search(r"&(?!lt;|gt;|amp;)", piece)
            assert len(unescape(piece)) <= 400
    page = html(made)
    body = page[: page.index('id="plotly-packed"')]
    assert "<script>window" not in body
    assert body.count("</script>") == 2


def test_what_an_axis_shows():
    made = figure(
        Line("m", (1.0, 5.0), (0.0, 3e6), base=(0.0, 0.0)),
        x=Axis("Layer", "index"),
        y=Axis("Bytes", "bytes"),
    )
    layout = spec(made)["layout"]
    assert layout["xaxis"]["range"] == [0.5, 5.5]
    assert layout["yaxis"]["rangemode"] == "tozero"
    assert layout["yaxis"]["ticksuffix"] == "B"
    ends = spec(figure(Points("p", (10.0, 1000.0), (1.0, 2.0)), y=Axis("A", "percent", high=3.0)))
    low, high = ends["layout"]["xaxis"]["range"]
    assert (low, high) == pytest.approx((1 - 0.12, 3 + 0.12))
    assert ends["layout"]["yaxis"]["range"] == [pytest.approx(1 - 0.12), 3.0]


def test_categories_stand_from_the_top():
    axis = Axis("", "category", categories=("first", "second"))
    layout = spec(figure(Bars("b", (0, 1), (0, 0), (1, 2)), x=Axis("n"), y=axis))["layout"]
    assert layout["yaxis"]["range"] == [1.5, -0.5]
    assert layout["yaxis"]["ticktext"] == ["first", "second"]


def test_areas_are_proportional():
    made = figure(Points("p", (1.0, 2.0), (1.0, 2.0), sizes=(100.0, 25.0)))
    marker = spec(made)["data"][0]["marker"]
    # plotly: the radius of an area is the root of size / (2 sizeref).
    across = [2 * (size / 2 / marker["sizeref"]) ** 0.5 for size in marker["size"]]
    assert across == pytest.approx([LARGEST, LARGEST / 2])


def test_names_stand_above_all_points():
    labels = ("a", "b", "c")
    made = figure(Points("p", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), labels=labels, drawn=(2, 0)))
    points, names = spec(made)["data"]
    assert points["hovertext"] == ["a", "b", "c"]
    assert (points["showlegend"], names["showlegend"]) == (True, False)
    assert points["legendgroup"] == names["legendgroup"]
    assert (names["text"], names["hoverinfo"]) == (["c", "a"], "skip")
    assert (names["x"], names["y"]) == ([3.0, 1.0], [6.0, 4.0])


def test_a_range_is_drawn_from_its_ends():
    (trace,) = spec(figure(Points("p", (1.0,), (5.0,), low=(3.0,), high=(6.0,))))["data"]
    assert (trace["error_y"]["array"], trace["error_y"]["arrayminus"]) == ([1.0], [2.0])


def test_a_filled_line_has_its_floor():
    line = Line("m", (1.0, 2.0), (5.0, 6.0), base=(1.0, 2.0), stepped=True)
    floor, edge = spec(figure(line))["data"]
    assert (floor["y"], edge["fill"]) == ([1.0, 2.0], "tonexty")
    assert floor["line"]["shape"] == edge["line"]["shape"] == "hvh"
    assert not floor["showlegend"]


def test_themes_differ_in_colours_only():
    made = figure(Points("p", (1.0,), (1.0,), color=3))
    light, dark = spec(made), spec(made, "dark")
    assert light["data"][0]["marker"]["color"] == THEMES["light"].hues[3]
    assert dark["layout"]["font"]["color"] == THEMES["dark"].text
    assert [k for k in light["layout"] if light["layout"][k] != dark["layout"][k]]
    assert light["config"] == dark["config"]
    assert themed(made)["data"][0]["marker"]["color"] == "@hue3"


def test_nothing_is_sent_to_plotlys_makers():
    config = spec(figure())["config"]
    assert config["plotlyServerURL"] == ""
    (buttons,) = config["modeBarButtons"]
    assert not [name for name in buttons if "loud" in name or "send" in name]


def test_on_a_narrow_window_panels_stand_one_below_the_other(analyses):
    made = memory_figure(analyses[:2])
    narrow = themed(made)["narrow"]
    assert made.columns > 1
    assert narrow["domains"]["xaxis"] == narrow["domains"]["xaxis2"] == (0.0, 1.0)
    assert narrow["domains"]["yaxis"][0] > narrow["domains"]["yaxis2"][1]
    assert len(narrow["headings"]) == len([p for p in made.panels if p.title])
    assert "narrow" not in spec(made)
    assert "narrow" not in themed(cumulative_figure(analyses[:1]))


def test_the_page_of_a_figure(analyses):
    made = cumulative_figure(analyses)
    page = html(made)
    assert page == html(made)
    assert len(page) < 3_000_000
    head = page[: page.index('id="plotly-packed"')]
    assert not re.findall(r"https?://", head)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', head)
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe-eval" not in policy
    assert f'aria-label="{made.alt}"' in unescape(head)
    for panel in made.panels:
        assert f">{panel.x.label}</th>" in head
