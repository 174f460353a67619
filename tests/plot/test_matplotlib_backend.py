"""Figures as PNG, SVG and PDF."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from itertools import combinations

import hostile
import matplotlib as mpl
import pytest

import archcost
from archcost.analysis import Analysis
from archcost.plot.figure import Axis, Bars, Figure, Line, Note, Panel, Points, Sizes
from archcost.plot.figures import (
    Rated,
    accuracy_figure,
    comparison_figures,
    costs_figure,
    intensity_figure,
    model_figures,
)
from archcost.plot.matplotlib_backend import draw, drawing
from archcost.plot.matplotlib_style import tick
from archcost.plot.networks import PlotError
from archcost.published.rated import rated_networks

SVG = "{http://www.w3.org/2000/svg}"
BEGINNINGS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
ENDS = {"png": b"IEND\xaeB`\x82", "svg": b"</svg>", "pdf": b"%%EOF"}


@cache
def analysis(name: str) -> Analysis:
    return archcost.analyze(archcost.load(name))


@cache
def accuracies(dataset: str) -> Figure:
    networks = rated_networks(dataset)
    return accuracy_figure([Rated(archcost.analyze(g), a) for g, a in networks], dataset)


def figures() -> Iterator[Figure]:
    both = [analysis("simplenet"), analysis("vgg16")]
    yield from model_figures(analysis("mobilenet-v1"))
    yield from comparison_figures(both)
    yield intensity_figure(both, peak_flops=1e13, bandwidth=1e11)
    yield costs_figure([*both, analysis("resnet50")])
    yield accuracies("ImageNet")


FIGURES = {f"{figure.key}-{len(figure.panels)}": figure for figure in figures()}


@pytest.mark.parametrize("format_", ["png", "pdf"])
@pytest.mark.parametrize("name", FIGURES)
def test_each_format(name: str, format_: str) -> None:
    data = draw(FIGURES[name], format_)
    assert data.startswith(BEGINNINGS[format_])
    assert data.rstrip().endswith(
        {"png": b"IEND\xaeB`\x82", "svg": b"</svg>", "pdf": b"%%EOF"}[format_]
    )


@pytest.mark.parametrize("format_", BEGINNINGS)
def test_the_same_figure_gives_the_same_bytes(format_: str) -> None:
    figure = FIGURES["intensity-1"]
    assert draw(figure, format_) == draw(figure, format_)


def test_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys, archcost; from archcost.plot.figures import depth_figure;"
        "from archcost.plot.matplotlib_backend import draw;"
        "sys.stdout.buffer.write(draw(depth_figure("
        "[archcost.analyze(archcost.load('lenet5'))]), 'svg'))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            timeout=120,
            env={"PYTHONHASHSEED": seed, "MPLBACKEND": "TkAgg"},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith(b"<?xml")


def test_the_callers_settings_neither_matter_nor_change() -> None:
    figure = FIGURES["kinds-4"]
    plain = draw(figure, "svg")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        assert draw(figure, "svg") == plain
        assert dict(mpl.rcParams) == before


def test_no_pyplot_and_no_display() -> None:
    code = (
        "import sys, archcost; from archcost.plot.figures import memory_figure;"
        "from archcost.plot.matplotlib_backend import draw;"
        "draw(memory_figure([archcost.analyze(archcost.load('lenet5'))]), 'png');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", FIGURES)
def test_svg_has_text_title_and_description(name: str) -> None:
    figure = FIGURES[name]
    root = ElementTree.fromstring(draw(figure, "svg"))
    assert root.get("role") == "img"
    title, alt = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert alt is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {alt.get('id')}"
    assert (title.text, alt.text) == (figure.title, figure.alt)
    said = {element.text for element in root.iter(f"{SVG}text")}
    assert {mark.name for mark in figure.legend()} <= said or len(figure.legend()) < 2
    assert not [e for e in root.iter() if e.tag.endswith("script") or e.tag.endswith("image")]
    hrefs = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
    assert all(href.startswith("#") for href in hrefs)


@pytest.mark.parametrize("width", [3.4, 7])
@pytest.mark.parametrize(
    "name",
    [name for name in FIGURES if not name.startswith("kinds")],
)
def test_texts_do_not_overlap(name: str, width: float) -> None:
    """Neither do labels of points nor any other texts of a panel, and none is cut off."""
    check_texts(FIGURES[name], width)


@pytest.mark.parametrize("dataset", ["CIFAR-10", "CIFAR-100"])
def test_labels_of_many_points_do_not_overlap(dataset: str) -> None:
    check_texts(accuracies(dataset), 7)


def check_texts(figure: Figure, width: float) -> None:
    with drawing(figure, width=width) as canvas:
        canvas.draw_without_rendering()
        for axes in canvas.axes:
            texts = [text for text in axes.texts if text.get_visible() and text.get_text()]
            boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
            for (one, a), (other, b) in combinations(boxes, 2):
                # Lines of one font may touch by what letters have above and below them.
                across = min(a.x1, b.x1) - max(a.x0, b.x0)
                up = min(a.y1, b.y1) - max(a.y0, b.y0)
                assert across <= 0 or up <= 0.3 * min(a.height, b.height), (one, other)
            for text, box in boxes:
                assert box.x0 >= -1, text
                assert box.x1 <= canvas.bbox.width * 1.01, text
        for text in canvas.texts:
            assert text.get_window_extent().x1 <= canvas.bbox.width, text.get_text()
        for legend in canvas.legends:
            assert legend.get_window_extent().x1 <= canvas.bbox.width


def every_mark(text: str) -> Figure:
    x = Axis(text, "count", low=0, high=4)
    y = Axis(text, "count", low=0, high=5)
    marks = (
        Points(text, (1, 2), (3, 4), labels=(text, text), drawn=(0, 1), sizes=(1, 2)),
        Points("hollow", (3,), (1,), filled=False, color="muted", low=(0,), high=(2,)),
        Line(text * 2, (1, 2, 3), (2, 3, 4), marker="cross", end=text),
        Line("stepped", (1, 2, 3), (1, 2, 1), stepped=True, base=(0, 0, 0), dash="dotted"),
        Line("corner", (1, 2, 3), (1, 2, 1), corner=True, dash="dashdot"),
        Note(2, 2, text),
        Note(1, 1, text, pointed=False, side="left"),
        Note(1, 1, text, pointed=False, side="above"),
        Note(1, 1, text, pointed=False, side="below"),
    )
    bars = (Bars(text, (0, 1), (0, 0), (1, 2), labels=(text, "b"), hatch=1), Note(2, 1, text))
    panels = (
        Panel(x, y, marks, text, Sizes(text, 2, (1, 2))),
        Panel(x, Axis(text, "category", categories=(text, "b")), bars, text),
    )
    return Figure("every", text, panels, text, text, (text,), columns=2)


@pytest.mark.parametrize("name", hostile.STRINGS)
def test_hostile_names_are_text(name: str) -> None:
    """What a name tries is drawn as it is written: no markup, no formula, no control."""
    text = hostile.STRINGS[name]
    data = draw(every_mark(text), "svg")
    root = ElementTree.fromstring(data)
    assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("script", "a", "iframe")]
    assert not [key for e in root.iter() for key in e.attrib if key.lower().startswith("on")]
    assert hostile.harmless(data.decode())
    shown = every_mark(text).title
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == shown
    if len(shown) < 15 and shown.strip() == shown and "  " not in shown:
        texts = {element.text for element in root.iter(f"{SVG}text")}
        assert shown in texts  # dollar signs and backslashes too


@pytest.mark.parametrize("format_", ["png", "pdf"])
def test_hostile_names_in_other_formats(format_: str) -> None:
    for name in ("math", "emoji", "combining", "long markup"):
        assert draw(every_mark(hostile.STRINGS[name]), format_).startswith(BEGINNINGS[format_])


@pytest.mark.parametrize("name", ["script", "long", "LaTeX"])
def test_networks_with_hostile_names(name: str) -> None:
    bad = archcost.analyze(hostile.network(hostile.STRINGS[name]))
    for figure in (*model_figures(bad), *comparison_figures([bad, analysis("lenet5")])):
        data = draw(figure, "svg")
        assert hostile.harmless(data.decode())
        ElementTree.fromstring(data)
        assert len(data) < 400_000


def test_themes_differ_in_colours_alone() -> None:
    figure = FIGURES["totals-4"]
    light, dark = (draw(figure, "svg", theme=theme).decode() for theme in ("light", "dark"))
    assert light != dark
    shapes = [re.findall(r' d="([^"]*)"|<text[^>]*>([^<]*)', text) for text in (light, dark)]
    assert shapes[0] == shapes[1]


def test_sizes() -> None:
    figure = FIGURES["totals-4"]
    root = ElementTree.fromstring(draw(figure, "svg", width=5, height=4))
    assert (root.get("width"), root.get("height")) == ("360pt", "288pt")
    for size in (2.4, 101, float("nan")):
        with pytest.raises(PlotError, match="inches"):
            draw(figure, "svg", width=size)
        with pytest.raises(PlotError, match="inches"):
            draw(figure, "svg", height=size)
    with pytest.raises(PlotError, match="wider or higher"):
        draw(FIGURES["depth-3"], "svg", height=2.5)
    with pytest.raises(PlotError, match="png, svg, pdf"):
        draw(figure, "gif")  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["matplotlib", "textalloc"])
def test_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(PlotError, match=r"pip install 'archcost\[plot\]'"):
        draw(FIGURES["totals-4"], "svg")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0, "bytes", "0"),
        (2.5e6, "count", "2.5 M"),
        (1e3, "bytes", "1 kB"),
        (12, "bytes", "12 B"),
        (0.25, "share", "25 %"),
        (92.5, "percent", "92.5 %"),
        (1000, "index", "1,000"),
        (0.1, "number", "0.1"),
        (1e21, "count", "1000 E"),
        (float("inf"), "count", ""),
    ],
)
def test_ticks(value: float, kind: str, text: str) -> None:
    assert tick(value, kind) == text
