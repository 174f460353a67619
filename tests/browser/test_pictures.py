"""Diagrams and figures as SVG, opened in a browser on their own: they show, say what they are, and
nothing in them runs."""

from __future__ import annotations

import hostile
import pytest

import archcost
from archcost.diagram import diagram, dot_source
from archcost.diagram.render import render
from archcost.diagram.volumes import volumes
from archcost.diagram.volumes_drawing import draw as draw_volumes
from archcost.plot.layers import cumulative_figure
from archcost.plot.matplotlib_backend import draw as draw_figure
from archcost.report.format import visible

NAMES = ("script", "end of SVG text", "attribute", "entities", "no characters", "surrogate")
HARMFUL = (
    *("script", "foreignObject", "image", "use", "a", "iframe", "object", "embed", "animate"),
    *("set", "handler", "listener", "link", "base"),
)


def a_diagram(analysis, level="layer"):
    """The SVG of a diagram, and its alt text."""
    made = diagram(analysis, level=level)
    svg = render(dot_source(made), "svg", title=made.title, alt=made.alt)
    return svg, made.alt


def a_volume(analysis):
    made = volumes(analysis)
    return draw_volumes(made, "svg"), made.alt


def a_figure(analysis):
    figure = cumulative_figure([analysis])
    return draw_figure(figure, "svg"), figure.alt


PICTURES = {"diagram": a_diagram, "volumes": a_volume, "figure": a_figure}


@pytest.fixture
def opened(watched, tmp_path):
    """Opens a picture as a document of its own."""

    def open_(svg):
        path = tmp_path / "picture.svg"
        path.write_bytes(svg)
        page = watched.open(path)
        assert page.evaluate("() => document.documentElement.namespaceURI").endswith("2000/svg")
        assert page.query_selector("parsererror") is None
        return page

    return open_


def told(page):
    """What the browser tells a screen reader of the whole picture: role, name and description."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), described(node))
        for node in tree
    ]
    return [each for each in found if each[0] in ("image", "img", "graphics-document", "SvgRoot")]


def described(node):
    return node.get("description", {}).get("value", "")


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_says_what_it_is(opened, kind):
    svg, alt = PICTURES[kind](archcost.analyze(archcost.load("simplenet")))
    page = opened(svg)
    said = told(page)
    assert any(alt in name + description for _, name, description in said), said
    assert all(name for _, name, _ in said)


@pytest.mark.parametrize("kind", PICTURES)
def test_all_of_a_picture_is_within_it(opened, kind):
    svg, _ = PICTURES[kind](archcost.analyze(archcost.load("alexnet")))
    page = opened(svg)
    outside = page.evaluate(
        """() => {
          const svg = document.documentElement;
          const all = svg.viewBox.baseVal;
          const scale = svg.getBoundingClientRect().width / all.width;
          const frame = svg.getBoundingClientRect();
          return [...document.querySelectorAll("text")].filter((text) => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left - 2 || box.right > frame.right + 2
              || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
          }).map((text) => text.textContent);
        }"""
    )
    assert outside == []


@pytest.mark.parametrize("kind", PICTURES)
def test_names_run_nothing(watched, opened, kind):
    for name in map(hostile.STRINGS.__getitem__, NAMES):
        svg, _ = PICTURES[kind](hostile.analysis(name))
        page = opened(svg)
        assert visible(name)[:8] in page.evaluate("() => document.documentElement.textContent")
        for element in page.query_selector_all(", ".join(HARMFUL)):
            # Figures draw their markers once, and use them again.
            reference = element.get_attribute("xlink:href") or element.get_attribute("href")
            assert element.evaluate("(e) => e.localName") == "use"
            assert reference.startswith("#")
        handlers = page.evaluate(
            "() => [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])"
            ".filter((a) => /^on|script:/i.test(a.name + a.value)).map((a) => a.name)"
        )
        assert handlers == []
        watched.check()
