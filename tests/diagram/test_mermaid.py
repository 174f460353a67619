"""Mermaid: every line is of its flowchart grammar, and every name is only text in it."""

from __future__ import annotations

import json
import re

import hostile
import pytest

import archcost
from archcost.analysis import analyze
from archcost.diagram import Diagram, DiagramError, diagram, mermaid_source

# What a quoted string may hold: no quote, and of other marks only those that mean nothing, the
# entities, and our own line breaks and bold titles.
STRING = r"(?:[\w .,:+/·–…-]|#\d+;|<br/>|</?b>)+"
LINES = {
    "node": rf' +((?:n|in|out)\d+)(?:\(\["({STRING})"\]\)|\["({STRING})"\]):::(fill\d+)',
    "subgraph": rf' +subgraph (g\d+)\["({STRING})"\]',
    "end": r" +end",
    "edge": rf'  ((?:n|in|out)\d+) -->(?:\|"({STRING})"\|)? ((?:n|in|out)\d+)',
    "class": r"  classDef (fill\d+) fill:#[0-9a-f]{6},color:#[0-9a-f]{6},stroke:#[0-9a-f]{6}",
    "link": r"  linkStyle \d+(?:,\d+)* stroke-width:[\d.]+px",
}


def decoded(text: str) -> list[str]:
    """A label's lines, as a browser shows them."""
    text = re.sub(r"</?b>", "", text)
    lines = text.split("<br/>")
    return [re.sub(r"#(\d+);", lambda match: chr(int(match[1])), line) for line in lines]


def as_shown(text: str) -> str:
    """What of ``text`` a browser can show in a label: no surrogates or non-characters."""
    for old, new in {"\ufb02": "fl", "°": "deg", "¶": "P", "ß": "ss"}.items():
        text = text.replace(old, new)
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", text)


def read(source: str) -> dict[str, list[re.Match[str]]]:
    """The lines of a flowchart by what they are."""
    begin, title, end, *rest = source.splitlines()
    assert (begin, end) == ("---", "---")
    assert title.isascii()
    assert isinstance(json.loads(title.removeprefix("title: ")), str)
    if rest[0].startswith("%%"):
        assert rest.pop(0) == '%%{init: {"theme": "dark"}}%%'
    assert rest.pop(0) in ("flowchart TB", "flowchart LR")
    assert re.fullmatch(r"accDescr: [\w .,:+/·–…()?-]+", rest.pop(0))
    found: dict[str, list[re.Match[str]]] = {kind: [] for kind in LINES}
    for line in rest:
        matches = {kind: re.fullmatch(pattern, line) for kind, pattern in LINES.items()}
        ((kind, match),) = [(kind, match) for kind, match in matches.items() if match]
        found[kind].append(match)
    return found


def check(drawing: Diagram) -> None:
    found = read(mermaid_source(drawing))
    labels = {match[1]: decoded(match[2] or match[3]) for match in found["node"]}
    for box in drawing.boxes:
        title, *lines = [as_shown(line) for line in box.lines]
        repeats = f" x {box.repeats}" if box.repeats > 1 else ""
        assert labels.pop(box.id) == [(title or " ") + repeats, *lines]
    assert not labels
    assert len(found["subgraph"]) == len(found["end"]) == len(drawing.groups)
    edges = [(match[1], match[3]) for match in found["edge"]]
    assert edges == [(edge.source, edge.target) for edge in drawing.edges]
    classes = {match[1] for match in found["class"]}
    assert {match[4] for match in found["node"]} == classes
    styled = [index for match in found["link"] for index in match[0].split()[1].split(",")]
    assert sorted(map(int, styled)) == list(range(len(edges)))


@pytest.mark.parametrize("level", ["stage", "layer"])
@pytest.mark.parametrize("name", hostile.STRINGS.values(), ids=hostile.STRINGS)
def test_names_do_no_harm(name: str, level: str) -> None:
    check(diagram(hostile.analysis(name), level=level))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", ["resnet50", "googlenet", "simplenet"])
def test_networks(name: str, direction: str, theme: str) -> None:
    analysis = analyze(archcost.load(name))
    check(diagram(analysis, level="layer", direction=direction, theme=theme, color_by="macs"))


def test_more_than_mermaid_takes() -> None:
    drawing = diagram(analyze(archcost.load("resnet1202")), level="block", unfold=True)
    with pytest.raises(DiagramError, match=r"Mermaid takes at most 5.*coarser --level"):
        mermaid_source(drawing)
