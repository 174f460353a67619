"""A figure's own page, with plotly in it. What it may not do is checked by ``watched``."""

from __future__ import annotations

from itertools import combinations
from math import hypot

import hostile
import pytest

import archcost
from archcost.plot.figure import Axis, Figure, Panel, Points, Sizes
from archcost.plot.kinds import kinds_figure
from archcost.plot.layers import cumulative_figure, depth_figure
from archcost.plot.memory import memory_figure
from archcost.plot.plotly_backend import html
from archcost.plot.plotly_marks import LARGEST
from archcost.plot.roofline import intensity_figure
from archcost.report.format import visible

FIGURES = (depth_figure, cumulative_figure, kinds_figure, memory_figure, intensity_figure)
DRAWN = "[data-figure][data-drawn]"
NAMES = (
    ("script", "image", "SVG", "attribute", "entities", "plotly", "template"),
    ("math", "toString", "no characters", "surrogate", "right to left", "long markup", "prototype"),
)


@pytest.fixture
def opened(watched, tmp_path):
    """Opens a figure's page, and waits until it is drawn."""

    def open_(figure):
        path = tmp_path / "figure.html"
        path.write_text(html(figure), encoding="utf-8")
        page = watched.open(path)
        page.wait_for_selector(DRAWN, timeout=30_000)
        return page

    return open_


@pytest.mark.parametrize("make", FIGURES)
def test_a_figure_is_drawn(opened, make):
    figure = make([archcost.analyze(archcost.load("simplenet"))])
    page = opened(figure)
    assert page.inner_text("h1") == figure.title
    assert page.locator(f"{DRAWN} .main-svg").count() > 0
    assert page.get_attribute(DRAWN, "aria-label") == figure.alt
    marks = page.locator(f"{DRAWN} .trace, {DRAWN} .bars .point").count()
    assert marks >= len(figure.panels)
    page.click("summary")
    assert page.locator("table").count() == len(figure.panels)


def test_pointing_shows_a_layer(opened):
    analysis = archcost.analyze(archcost.load("simplenet"))
    page = opened(intensity_figure([analysis]))
    point = page.locator(f"{DRAWN} .point").first.bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.wait_for_selector(".hoverlayer .hovertext")
    said = page.locator(".hoverlayer").text_content()
    assert any(row.name in said for row in analysis.layers)


def test_names_lie_on_no_other_point(opened):
    """Nor on each other: a name that lies on a point would be taken for that one's."""
    places = [(x, y) for x in range(6) for y in range(4)]
    crowd = Points(
        "crowd",
        tuple(float(x) for x, _ in places),
        tuple(y + x / 9 for x, y in places),
        labels=tuple(f"network {x} of {y}" for x, y in places),
        drawn=tuple(range(len(places))),
        sizes=tuple(1.0 + 9 * (place % 5) for place in range(len(places))),
    )
    panel = Panel(Axis("X"), Axis("Y"), (crowd,), sizes=Sizes("parameters", 37.0))
    page = opened(Figure("crowd", "Crowd", (panel,), "Points."))
    names = page.evaluate(
        """() => [...document.querySelectorAll(".textpoint text")]
          .filter((text) => text.style.visibility !== "hidden")
          .map((text) => [text.textContent, text.getBoundingClientRect().toJSON()])"""
    )
    points = page.evaluate(
        """() => [...document.querySelector(".scatterlayer .trace").querySelectorAll(".point")]
          .map((point) => point.getBoundingClientRect().toJSON())"""
    )
    assert len(points) == len(places)
    assert max(point["width"] for point in points) == pytest.approx(LARGEST, abs=1.5)
    assert len(names) > 6
    for name, box in names:
        for place, point in zip(places, points, strict=True):
            x, y = (point["left"] + point["right"]) / 2, (point["top"] + point["bottom"]) / 2
            across = max(box["left"] - x, 0, x - box["right"])
            down = max(box["top"] - y, 0, y - box["bottom"])
            if name != "network {} of {}".format(*place):
                assert hypot(across, down) > point["width"] / 2 - 1, (name, place)
    for (one, a), (other, b) in combinations(names, 2):
        apart = a["right"] <= b["left"] or b["right"] <= a["left"]
        assert apart or a["bottom"] <= b["top"] or b["bottom"] <= a["top"], (one, other)


def test_what_areas_mean_is_said(opened):
    found = archcost.analyze(archcost.load("simplenet"))
    page = opened(intensity_figure([found], peak_flops=1e13, bandwidth=1e12))
    assert "Areas: the largest point has" in page.inner_text("figcaption")


def test_it_follows_the_theme_of_the_system(opened):
    page = opened(kinds_figure([archcost.analyze(archcost.load("lenet5"))]))
    assert page.get_attribute(DRAWN, "data-drawn") == "light"
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("[data-drawn=dark]")


def test_a_phone_scrolls_down_only(watched, opened):
    watched.page.set_viewport_size({"width": 375, "height": 812})
    page = opened(depth_figure([archcost.analyze(archcost.load("googlenet"))]))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("names", NAMES)
def test_names_run_nothing(opened, names):
    """Neither in a text that plotly reads for markup, nor where it is shown when pointed at."""
    called = [hostile.STRINGS[name] for name in names]
    page = opened(cumulative_figure([hostile.analysis(name) for name in called]))
    assert page.locator(f"{DRAWN} a, {DRAWN} img, {DRAWN} script, {DRAWN} iframe").count() == 0
    legend = page.locator(f"{DRAWN} .legendtext").all_text_contents()
    assert len(legend) == len(called)
    for name in called:
        assert any(text.startswith(visible(name)[:8]) for text in legend)


def test_names_of_points_run_nothing(opened):
    page = opened(intensity_figure([archcost.analyze(hostile.motley())]))
    for point in page.locator(f"{DRAWN} .point").all()[:40]:
        point.dispatch_event("mousemove")
    assert page.locator(f"{DRAWN} a, {DRAWN} img, {DRAWN} script").count() == 0
    assert page.text_content(DRAWN).count("�") == 0
