"""A diagram as DOT.

Names stand in HTML-like labels, as text, and in tooltips; nowhere else. Ids are the diagram's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from archcost.diagram.colors import Ground, ground
from archcost.diagram.model import Box, Diagram, Edge, Group, Swatch
from archcost.report.svg import xml_text

FONT: Final = "Helvetica,Arial,sans-serif"
TITLE_SIZE: Final = 17
SIZE: Final = 11
SMALL: Final = 9
SWATCHES_A_ROW: Final = 5
STRAIGHT: Final = "4"
"""How many times as important it is that an edge within a frame is straight and short."""


def dot_source(diagram: Diagram) -> str:
    """``diagram`` in Graphviz's language, for ``dot``."""
    import graphviz

    palette = ground(diagram.theme)
    down = diagram.direction == "down"
    dot = graphviz.Digraph(
        "network",
        graph_attr={
            "rankdir": "TB" if down else "LR",
            "bgcolor": palette.paper,
            "fontname": FONT,
            "fontcolor": palette.ink,
            "label": _heading(diagram, palette),
            "labelloc": "t",
            "labeljust": "c" if down else "l",  # where a wide picture begins, there one looks
            "nodesep": "0.25",
            "ranksep": "0.3" if down else "0.45",
            "pad": "0.2",
            # Bounds on the layout's last refinements, which nobody sees in a large diagram.
            "nslimit": "4",
            "mclimit": "1",
        },
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "fontname": FONT,
            "fontsize": str(SIZE),
            "color": palette.line,
            "penwidth": "0.8",
            "margin": "0.12,0.06",
            "height": "0.3",
        },
        edge_attr={
            "fontname": FONT,
            "fontsize": str(SMALL),
            "color": palette.line,
            "fontcolor": palette.faint,
        },
    )
    inside: dict[str | None, list[Box]] = {}
    for box in diagram.boxes:
        inside.setdefault(box.group, []).append(box)
    below: dict[str | None, list[Group]] = {}
    for group in diagram.groups:
        below.setdefault(group.parent, []).append(group)
    _fill(dot, None, inside, below, palette)
    around = {box.id: box.group for box in diagram.boxes}
    for edge in diagram.edges:
        # Within a frame the way runs straight, and what goes past it bends.
        within = around[edge.source] == around[edge.target] is not None
        dot.edge(
            edge.source,
            edge.target,
            label=_beside(edge, down),
            penwidth=f"{edge.width:g}",
            arrowsize=f"{0.5 + edge.width / 12:.2f}",
            tooltip=_tip(edge.tooltip),
            **({"weight": STRAIGHT} if within else {}),
        )
    return str(dot.source)


def _fill(
    dot: Any,
    group: str | None,
    inside: dict[str | None, list[Box]],
    below: dict[str | None, list[Group]],
    palette: Ground,
) -> None:
    for box in inside.get(group, ()):
        _add_box(dot, box, palette)
    for inner in below.get(group, ()):
        with dot.subgraph(name=f"cluster_{inner.id}") as cluster:
            cluster.attr(
                id=inner.id,
                label=_html(_table([(f"<B>{_text(inner.label)}</B>{_repeats(inner.repeats)}",)])),
                labeljust="l",
                style="rounded,filled",
                # A cluster has no second border in Graphviz: a folded one has a thick one.
                color=palette.faint if inner.repeats > 1 else palette.frame,
                penwidth="2.5" if inner.repeats > 1 else "1",
                fillcolor=palette.within,
                fontcolor=palette.faint,
                fontsize=str(SIZE),
                margin="10",
                tooltip=_tip(inner.label),
            )
            _fill(cluster, inner.id, inside, below, palette)


def _add_box(dot: Any, box: Box, palette: Ground) -> None:
    title, *lines = box.lines
    rows = [f"<B>{_text(title)}</B>{_repeats(box.repeats)}"]
    rows += [f'<FONT POINT-SIZE="{SMALL}">{_text(line)}</FONT>' for line in lines]
    dot.node(
        box.id,
        label=_html("<BR/>".join(rows)),
        id=box.id,
        fillcolor=box.fill,
        fontcolor=box.ink,
        tooltip=_tip(box.tooltip),
        **({"style": "rounded,filled,dashed"} if box.terminal else {}),
        **({"peripheries": "2"} if box.repeats > 1 else {}),
    )


def _beside(edge: Edge, down: bool) -> str:
    """The label, kept off the line: Graphviz sets it as if every line were thin."""
    if not edge.label:
        return ""
    if not down:
        return f"{_quoted(edge.label)}\\n\u2007"  # a line of nothing, above the edge
    room = "\u2007" * (1 + round(edge.width / 4))
    return _quoted(f"{room}{edge.label}")


def _heading(diagram: Diagram, palette: Ground) -> str:
    """Title, subtitle, legend and notes, one below the other."""
    rows: list[tuple[str, ...]] = [
        (f'<FONT POINT-SIZE="{TITLE_SIZE}"><B>{_text(diagram.title)}</B></FONT>',),
        (_small(diagram.subtitle, palette),),
    ]
    wide = diagram.direction == "right"
    if diagram.legend:
        rows.append((_swatches(diagram.legend, wide, palette),))
    notes = (" · ".join(diagram.notes),) if wide and diagram.notes else diagram.notes
    rows += [(_small(note, palette),) for note in notes]
    return _html(_table(rows))


def _swatches(swatches: Sequence[Swatch], wide: bool, palette: Ground) -> str:
    cells = [
        f'<TD BGCOLOR="{swatch.fill}" BORDER="1" COLOR="{palette.line}">'
        f'<FONT POINT-SIZE="{SMALL}" COLOR="{swatch.ink}"> {_text(swatch.label)} </FONT></TD>'
        for swatch in swatches
    ]
    lines = 1 if wide else -(-len(cells) // SWATCHES_A_ROW)
    length = -(-len(cells) // lines)
    rows = [
        "<TR>" + "".join(cells[start : start + length]) + "</TR>"
        for start in range(0, len(cells), length)
    ]
    return f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="3">{"".join(rows)}</TABLE>'


def _small(text: str, palette: Ground) -> str:
    return f'<FONT POINT-SIZE="{SMALL}" COLOR="{palette.faint}">{_text(text)}</FONT>'


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in row) + "</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{body}</TABLE>'


def _repeats(count: int) -> str:
    return f"  <B>x {count}</B>" if count > 1 else ""


def _html(content: str) -> str:
    """``content`` as an HTML-like label, by the mark that the graphviz library knows it by."""
    return f"<{content}>"


def _text(text: str) -> str:
    """``text`` in an HTML-like label, where ``\\N`` would be the node's name as anywhere in DOT.

    Graphviz looks for it before it reads the HTML and again after that. Blanks would be dropped
    where there is nothing else.
    """
    return escape(xml_text(text), quote=True).replace("\\", 2 * "&#92;") or " "


def _tip(text: str) -> str:
    """``text`` in a tooltip, where Graphviz looks for escapes twice."""
    return _quoted(text.replace("\\", 2 * "\\"))


def _quoted(text: str) -> str:
    """``text`` in a quoted string, where a backslash begins an escape like ``\\N`` and an
    ampersand an entity.
    """
    import graphviz

    return str(graphviz.escape(xml_text(text).replace("&", "&amp;")))
