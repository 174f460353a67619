"""DOT: what Graphviz reads is what was meant, whatever anything is called."""

from __future__ import annotations

from xml.etree import ElementTree

import hostile
import pytest

import archcost
from archcost.analysis import analyze
from archcost.diagram import Diagram, diagram, dot_source
from archcost.diagram.render import render
from archcost.report.svg import xml_text

pygraphviz = pytest.importorskip("pygraphviz")
SVG = "{http://www.w3.org/2000/svg}"


def read(drawing: Diagram) -> object:
    return pygraphviz.AGraph(string=dot_source(drawing))


def text_of(label: str) -> list[str]:
    """The lines of an HTML-like label, which pygraphviz gives without its brackets."""
    # Well-formed, or Graphviz would not take it.
    root = ElementTree.fromstring(f"<label>{label}</label>")
    lines = [""]

    def read(element: ElementTree.Element) -> None:
        if element.tag in ("BR", "TR"):
            lines.append("")
        lines[-1] += element.text or ""
        for child in element:
            read(child)
            lines[-1] += child.tail or ""

    read(root)
    # Graphviz reads escapes again after the HTML: a backslash is written twice.
    return [line.replace("\\\\", "\\") for line in lines]


@pytest.mark.parametrize("level", ["stage", "layer"])
@pytest.mark.parametrize("name", hostile.STRINGS.values(), ids=hostile.STRINGS)
def test_names_do_no_harm(name: str, level: str) -> None:
    drawing = diagram(hostile.analysis(name), level=level)
    graph = read(drawing)
    assert {str(node) for node in graph.nodes()} == {box.id for box in drawing.boxes}
    assert len(graph.edges()) == len(drawing.edges)
    for box in drawing.boxes:
        node = graph.get_node(box.id)
        assert node.attr["id"] == box.id
        # As it is written: Graphviz looks for escapes in a tooltip twice, then for entities.
        tip = node.attr["tooltip"].replace(4 * "\\", "\\").replace("&amp;", "&")
        assert tip == xml_text(box.tooltip)
        assert set(node.attr) >= {"label", "fillcolor"}
        assert not {"URL", "href", "image", "target"} & set(node.attr)
        shown = text_of(node.attr["label"])
        assert [line.strip() for line in shown] == [xml_text(line).strip() for line in box.lines]
    subgraphs = {str(group.graph_attr["id"]) for group in graph.subgraphs()}
    assert subgraphs == {group.id for group in drawing.groups if group.parent is None}


def test_names_have_bounds() -> None:
    drawing = diagram(hostile.analysis("n" * 10_000))
    source = dot_source(drawing)
    assert len(source) < 20_000
    assert all(len(line) < 100 for box in drawing.boxes for line in box.lines)
    assert "nnn…nnn" in source


def test_what_it_says() -> None:
    drawing = diagram(analyze(archcost.load("resnet50")), level="layer", direction="right")
    graph = read(drawing)
    assert graph.graph_attr["rankdir"] == "LR"
    assert graph.graph_attr["bgcolor"] == "#ffffff"
    heading = " ".join(text_of(graph.graph_attr["label"]))
    swatches = [swatch.label for swatch in drawing.legend]
    for text in (drawing.title, drawing.subtitle, *swatches, *drawing.notes):
        assert text in heading
    widths = {
        (edge.source, edge.target): float(graph.get_edge(edge.source, edge.target).attr["penwidth"])
        for edge in drawing.edges
    }
    heaviest = max(drawing.edges, key=lambda edge: edge.nbytes)
    assert widths[heaviest.source, heaviest.target] == max(widths.values()) == heaviest.width
    assert graph.get_edge("n0", "n1").attr["label"] == "64x112x112\\n\u2007"


def test_what_is_folded_has_another_frame() -> None:
    drawing = diagram(analyze(archcost.load("resnet152")), level="layer")
    svg = ElementTree.fromstring(render(dot_source(drawing), "svg"))
    looks = {
        (group.repeats > 1, svg.find(f".//*[@id='{group.id}']/{SVG}path").get("stroke-width"))
        for group in drawing.groups
    }
    assert {repeated for repeated, _ in looks} == {True, False}
    assert len({width for _, width in looks}) == len(looks) == 2


def test_a_label_is_above_its_edge() -> None:
    drawing = diagram(analyze(archcost.load("lenet5")), level="layer", direction="right")
    svg = ElementTree.fromstring(render(dot_source(drawing), "svg"))
    edges = [group for group in svg.iter(f"{SVG}g") if group.get("class") == "edge"]
    assert len(edges) == len(drawing.edges)
    for edge in edges:
        path, text = edge.find(f".//{SVG}path"), edge.find(f".//{SVG}text")
        _, y = path.get("d").removeprefix("M").split("C")[0].split(",")
        assert float(text.get("y")) < float(y) - float(path.get("stroke-width", 1)) / 2 - 5


def test_themes() -> None:
    analysis = analyze(archcost.load("squeezenet"))
    light, dark = (dot_source(diagram(analysis, theme=theme)) for theme in ("light", "dark"))
    assert 'bgcolor="#16181c"' in dark
    assert "#ffffff" in light
    assert dark.count("\n") == light.count("\n")


def test_no_legend() -> None:
    drawing = diagram(analyze(archcost.load("lenet5")), legend=False)
    assert "wider edges" not in dot_source(drawing)
    assert (drawing.legend, drawing.notes) == ((), ())


def test_same_diagram_same_text() -> None:
    one, two = (dot_source(diagram(analyze(archcost.load("googlenet")))) for _ in range(2))
    assert one == two
