"""Markdown: tables in GitHub's dialect, exact numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archcost.report.format import precise, visible
from archcost.report.summary import citation, facts, heading
from archcost.report.table import DOCUMENT_RANK, LEFT, Section

if TYPE_CHECKING:
    from archcost.report.model import ModelReport
    from archcost.report.table import Column, Document, Table

# An underscore within a word is no emphasis; it is left, since most names have some. Dashes and
# numbers matter where a line begins, and a few letters make an address a link without brackets.
_SPECIAL = re.compile(
    r"[\\`*\[\]|~$#!@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|^[-+=](?=[-=\s]|$)|^(?P<number>\d{1,9})(?=[.)](?:\s|$))|://|(?<=www)\.",
    re.IGNORECASE,
)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def escape(text: str) -> str:
    """``text`` so that Markdown shows it as it is: no markup, no link, no mention, no cell."""
    text = re.sub("[<>&]", lambda match: _ENTITIES[match[0]], visible(text))
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    if match["number"]:
        return f"{match[0]}\\"
    return ":\\//" if match[0] == "://" else f"\\{match[0]}"


def table_text(table: Table) -> str:
    """The table, with its title as a heading and its notes below."""
    parts = [f"## {escape(table.title)}"] if table.title else []
    parts += [_grid(table), *map(escape, table.legend("Bold"))]
    return "\n\n".join(parts) + "\n"


def document_text(document: Document) -> str:
    """The document: its title, then its sections and tables."""
    parts = [f"# {escape(document.title)}\n"] if document.title else []
    for part in document.parts:
        if isinstance(part, Section):
            paragraphs = "\n\n".join(map(escape, part.paragraphs))
            parts.append(f"## {escape(part.heading)}\n\n{paragraphs}\n")
        else:
            parts.append(table_text(part))
    return "\n".join(parts)


def report_text(report: ModelReport) -> str:
    """The whole report: heading, table, facts, notes."""
    name, *details = heading(report)
    parts = [f"# {escape(name)}"]
    if cited := citation(report.source):
        parts.append(escape(cited))
    parts.append("\n".join(f"- {escape(line)}" for line in details))
    parts.append(_grid(report.table))
    parts.append(
        "\n".join(f"- **{label}:** {escape('; '.join(items))}" for label, items in facts(report))
    )
    parts += map(escape, report.table.notes)
    return "\n\n".join(parts) + "\n"


def _grid(table: Table) -> str:
    table = table.upto(DOCUMENT_RANK)
    kinds = [column.kind for column in table.columns]
    rows = [[escape(column.label) for column in table.columns]]
    for row in (*table.rows, *([table.total] if table.total else [])):
        rows.append([_cell(cell, c) for cell, c in zip(row, table.columns, strict=True)])
    # Sentences are left ragged: padded to the longest they would be most of the file.
    widths = [
        3 if kind == "sentences" else max(3, *map(len, column))
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    sides = list(zip(widths, [kind in LEFT for kind in kinds], strict=True))
    rule = ["-" * w if is_left else "-" * (w - 1) + ":" for w, is_left in sides]
    padded = [
        [c.ljust(w) if is_left else c.rjust(w) for c, (w, is_left) in zip(row, sides, strict=True)]
        for row in rows
    ]
    lines = [padded[0], rule, *padded[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Any, column: Column) -> str:
    text = escape(precise(cell, column))
    return f"**{text}**" if column.marks(cell) else text
