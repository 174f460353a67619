"""Diagrams as they are seen: the zoo's networks, and hostile ones, all the way to SVG and PNG.

The first and the last network of each family, and with ARCHCOST_ALL=1 every one.
"""

from __future__ import annotations

import io
import os
from xml.etree import ElementTree

import hostile
import pytest

import archcost
from archcost.analysis import analyze
from archcost.diagram import Diagram, diagram, dot_source
from archcost.diagram.render import render
from archcost.ir import Graph
from archcost.sources import zoo

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {"svg", "title", "desc", "g", "path", "polygon", "polyline", "ellipse", "text"}


def sample() -> list[str]:
    entries = list(zoo.entries())
    if os.environ.get("ARCHCOST_ALL"):
        return [entry.name for entry in entries]
    first = {entry.stem: entry.name for entry in reversed(entries)}
    last = {entry.stem: entry.name for entry in entries}
    return list(dict.fromkeys([*first.values(), *last.values()]))


def svg_of(drawing: Diagram) -> ElementTree.Element:
    return ElementTree.fromstring(
        render(dot_source(drawing), "svg", title=drawing.title, alt=drawing.alt)
    )


def squeezed(text: str) -> str:
    """``text`` as an SVG shows it: blanks run together."""
    return " ".join(text.split())


def check(drawing: Diagram, root: ElementTree.Element) -> None:
    """Each box is there under its id with its whole label; nothing else than shapes and text is."""
    assert root.findtext(f"{SVG}title") == drawing.title
    assert root.findtext(f"{SVG}desc") == drawing.alt
    found = {element.get("id"): element for element in root.iter(f"{SVG}g")}
    for box in drawing.boxes:
        shown = " ".join(text.text or "" for text in found[box.id].iter(f"{SVG}text"))
        for line in box.lines:
            assert squeezed(line) in squeezed(shown), (box.id, shown)
        assert squeezed(found[box.id].findtext(f"{SVG}title") or "") == squeezed(box.tooltip)
    for group in drawing.groups:
        shown = " ".join(text.text or "" for text in found[group.id].iter(f"{SVG}text"))
        assert squeezed(group.label) in squeezed(shown)
    everything = squeezed(" ".join(text.text or "" for text in root.iter(f"{SVG}text")))
    for text in (drawing.title, drawing.subtitle, *drawing.notes):
        assert squeezed(text) in everything
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= SHAPES
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert "url(" not in value


@pytest.mark.parametrize("name", sample())
def test_a_network_of_the_zoo(name: str) -> None:
    drawing = diagram(analyze(archcost.load(name)))
    check(drawing, svg_of(drawing))


@pytest.mark.parametrize("name", ["simplenet", "googlenet", "resnet1202", "densenet121"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_png_is_not_blank(name: str, theme: str) -> None:
    image_of = pytest.importorskip("PIL.Image")
    drawing = diagram(analyze(archcost.load(name)), theme=theme)
    image = image_of.open(io.BytesIO(render(dot_source(drawing), "png"))).convert("RGB")
    (most, ground), *others = sorted(image.getcolors(1 << 24), reverse=True)
    assert (sum(ground) > 3 * 128) == (theme == "light")
    assert most < 0.95 * image.width * image.height
    assert len(others) > 20


def hostile_graphs() -> dict[str, Graph]:
    graphs = {label: hostile.network(name) for label, name in hostile.STRINGS.items()}
    return {**graphs, "all at once": hostile.motley()}


@pytest.mark.parametrize("label", hostile_graphs())
def test_hostile_names_are_only_text(label: str) -> None:
    graph = hostile.motley() if label == "all at once" else hostile.network(hostile.STRINGS[label])
    drawing = diagram(analyze(graph), level="layer")
    root = svg_of(drawing)
    check(drawing, root)
    shown = [element.text or "" for element in root.iter() if element.text]
    assert all(hostile.harmless(text) for text in shown)
    assert all(len(text) < 1000 for text in shown)


@pytest.mark.parametrize("label", ["DOT", "DOT HTML", "image", "long", "surrogate", "NUL", "emoji"])
def test_hostile_names_in_pixels(label: str) -> None:
    image_of = pytest.importorskip("PIL.Image")
    drawing = diagram(analyze(hostile.network(hostile.STRINGS[label])), level="layer")
    image = image_of.open(io.BytesIO(render(dot_source(drawing), "png")))
    assert image.width < 4000
