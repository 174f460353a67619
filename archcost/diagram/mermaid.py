"""A diagram as a Mermaid flowchart: what READMEs on GitHub and GitLab draw from text.

Names stand in quoted strings only, with every character that could mean something written as one
of Mermaid's entities, ``#34;``; ids are the diagram's own.
"""

from __future__ import annotations

import json
import re
from typing import Final

from archcost.diagram.colors import ground
from archcost.diagram.model import Box, Diagram, DiagramError, Group
from archcost.report.format import exact

MOST_EDGES: Final = 500
MOST_LETTERS: Final = 50_000
"""What Mermaid takes unless a site says otherwise (``maxEdges``, ``maxTextSize``)."""
WIDTH_STEPS: Final = 2
"""Widths of edges are told apart to this part of a point."""

# Letters of any script, digits, and marks that mean nothing to Mermaid, Markdown or HTML.
_SPECIAL: Final = re.compile(r"[^\w .,:+/·–…-]|[_\ud800-\udfff\ufb02]")
# Characters that Mermaid itself puts in place of entities while it reads, among them U+FB02.
_PLACEHOLDERS: Final = {"\ufb02": "fl", "°": "deg", "¶": "P", "ß": "ss"}


def mermaid_source(diagram: Diagram) -> str:
    """``diagram`` in Mermaid's language.

    Raises:
        DiagramError: there are more edges, or is more text, than Mermaid takes.
    """
    if len(diagram.edges) > MOST_EDGES:
        raise _too_large(f"{exact(len(diagram.edges))} edges", f"{exact(MOST_EDGES)} edges")
    dark = diagram.theme == "dark"
    lines = [
        "---",
        f"title: {_yaml(diagram.title)}",
        "---",
        *(['%%{init: {"theme": "dark"}}%%'] if dark else []),
        f"flowchart {'TB' if diagram.direction == 'down' else 'LR'}",
        f"accDescr: {_plain(diagram.alt)}",
    ]
    classes: dict[tuple[str, str], str] = {}
    inside: dict[str | None, list[Box]] = {}
    for box in diagram.boxes:
        classes.setdefault((box.fill, box.ink), f"fill{len(classes)}")
        inside.setdefault(box.group, []).append(box)
    below: dict[str | None, list[Group]] = {}
    for group in diagram.groups:
        below.setdefault(group.parent, []).append(group)

    def fill(group: str | None, indent: str) -> None:
        for box in inside.get(group, ()):
            lines.append(f"{indent}{_node(box)}:::{classes[box.fill, box.ink]}")
        for inner in below.get(group, ()):
            label = _text(inner.label) + _repeats(inner.repeats)
            lines.append(f'{indent}subgraph {inner.id}["{label}"]')
            fill(inner.id, indent + "  ")
            lines.append(f"{indent}end")

    fill(None, "  ")
    widths: dict[float, list[str]] = {}
    for index, edge in enumerate(diagram.edges):
        label = f'|"{_text(edge.label)}"|' if edge.label else ""
        lines.append(f"  {edge.source} -->{label} {edge.target}")
        width = round(edge.width * WIDTH_STEPS) / WIDTH_STEPS
        widths.setdefault(width, []).append(str(index))
    for (color, ink), name in classes.items():
        border = ground(diagram.theme).line
        lines.append(f"  classDef {name} fill:{color},color:{ink},stroke:{border}")
    for width, edges in sorted(widths.items()):
        lines.append(f"  linkStyle {','.join(edges)} stroke-width:{width:g}px")
    source = "\n".join(lines) + "\n"
    if len(source) > MOST_LETTERS:
        raise _too_large(f"{exact(len(source))} characters", f"{exact(MOST_LETTERS)}")
    return source


def _too_large(found: str, most: str) -> DiagramError:
    return DiagramError(
        f"the diagram has {found}, and Mermaid takes at most {most}: a coarser --level has fewer, "
        "or write SVG"
    )


def _node(box: Box) -> str:
    title, *lines = box.lines
    label = "<br/>".join([f"<b>{_text(title)}</b>{_repeats(box.repeats)}", *map(_text, lines)])
    return f'{box.id}(["{label}"])' if box.terminal else f'{box.id}["{label}"]'


def _repeats(count: int) -> str:
    return f" <b>x {count}</b>" if count > 1 else ""


def _text(text: str) -> str:
    """``text`` in a quoted string."""
    for placeholder, instead in _PLACEHOLDERS.items():
        text = text.replace(placeholder, instead)
    return _SPECIAL.sub(lambda match: _entity(match[0]), text) or " "


def _entity(character: str) -> str:
    code = ord(character)
    # What HTML has no character for becomes the sign for that.
    known = not (0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE or code < 0x20)
    return f"#{code if known else 0xFFFD};"


def _plain(text: str) -> str:
    """``text`` in a description, which ends with its line and knows no entities."""
    return _SPECIAL.sub(lambda match: match[0] if match[0] in "()" else "?", text)


def _yaml(text: str) -> str:
    """``text`` as a string of the YAML before the flowchart, plain ASCII.

    Mermaid takes markup in a title for markup however it is written, and drops it.
    """
    shown = text.translate({ord("<"): "‹", ord(">"): "›", ord("&"): "＆"})  # noqa: RUF001
    return re.sub(r"['`#{}%]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(shown))
