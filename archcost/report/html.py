"""A small HTML fragment: what a notebook shows; :mod:`archcost.page` makes whole pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from archcost.report.format import precise, visible
from archcost.report.summary import citation, facts, heading
from archcost.report.table import DOCUMENT_RANK, LEFT, Section

if TYPE_CHECKING:
    from archcost.report.model import ModelReport
    from archcost.report.table import Column, Document, Table


def escape(text: str) -> str:
    """``text`` as the content of an element or of a quoted attribute."""
    return html.escape(visible(text), quote=True)


def table_text(table: Table) -> str:
    """A ``<table>`` with its title as caption, its notes below."""
    parts = [_grid(table, table.title), *(f"<p>{escape(n)}</p>" for n in table.legend("Bold"))]
    return "\n".join(parts) + "\n"


def document_text(document: Document) -> str:
    """The document as one ``<div>``: its title, then its sections and tables."""
    parts = ["<div>", *([f"<h3>{escape(document.title)}</h3>"] if document.title else [])]
    for part in document.parts:
        if isinstance(part, Section):
            parts += [f"<h4>{escape(part.heading)}</h4>"] if part.heading else []
            parts += [f"<p>{escape(paragraph)}</p>" for paragraph in part.paragraphs]
        else:
            parts.append(table_text(part).rstrip("\n"))
    return "\n".join([*parts, "</div>", ""])


def report_text(report: ModelReport) -> str:
    """The whole report as one ``<div>``."""
    name, *details = heading(report)
    lines = [citation(report.source), *details]
    parts = ["<div>", f"<h3>{escape(name)}</h3>"]
    parts.append(f"<p>{'<br>'.join(escape(line) for line in lines if line)}</p>")
    parts.append(_grid(report.table))
    parts.append("<dl>")
    parts += [
        f"<dt>{escape(label)}</dt><dd>{escape('; '.join(items))}</dd>"
        for label, items in facts(report)
    ]
    parts.append("</dl>")
    parts += [f"<p>{escape(note)}</p>" for note in report.table.notes]
    return "\n".join([*parts, "</div>", ""])


def _cell(cell: Any, column: Column) -> str:
    text = escape(precise(cell, column))
    return f"<strong>{text}</strong>" if column.marks(cell) else text


def _grid(table: Table, caption: str = "") -> str:
    shown = table.upto(DOCUMENT_RANK)
    left = [column.kind in LEFT for column in shown.columns]

    def line(tag: str, cells: list[str]) -> str:
        styled = zip(cells, left, strict=True)
        return "<tr>{}</tr>".format(
            "".join(
                f'<{tag} style="text-align: {"left" if is_left else "right"}">{cell}</{tag}>'
                for cell, is_left in styled
            )
        )

    def values(row: tuple[object, ...]) -> list[str]:
        return [_cell(cell, c) for cell, c in zip(row, shown.columns, strict=True)]

    parts = ["<table>"]
    if caption:
        parts.append(f"<caption>{escape(caption)}</caption>")
    labels = [escape(column.label) for column in shown.columns]
    parts.append(f"<thead>{line('th', labels)}</thead>")
    parts.append("<tbody>")
    parts += [line("td", values(row)) for row in shown.rows]
    parts.append("</tbody>")
    if shown.total:
        parts.append(f"<tfoot>{line('th', values(shown.total))}</tfoot>")
    parts.append("</table>")
    return "\n".join(parts)
