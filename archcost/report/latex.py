"""LaTeX: a table with booktabs, exact numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcost.report.format import precise, visible
from archcost.report.table import DOCUMENT_RANK, LEFT

if TYPE_CHECKING:
    from archcost.report.model import ModelReport
    from archcost.report.table import Column, Table

# Brackets and stars are grouped because a row that begins with one is read as an argument of the
# `\\` before it; quotes and dashes because fonts join them.
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "-": "-{}",
        "µ": r"\textmu{}",
    }
)


def escape(text: str) -> str:
    """``text`` so that LaTeX prints it as it is."""
    return visible(text).translate(_SPECIAL)


def table_text(table: Table) -> str:
    """A ``table`` environment with caption and label-free body."""
    shown = table.upto(DOCUMENT_RANK)
    alignment = "".join("l" if c.kind in LEFT else "r" for c in shown.columns)
    lines = [
        r"% needs \usepackage{booktabs}, and \usepackage[T1]{fontenc} for some characters",
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{escape(shown.title)}}}"] if shown.title else []),
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _line([escape(column.label) for column in shown.columns]),
        r"\midrule",
    ]
    rows = [
        _line([_cell(cell, c) for cell, c in zip(row, shown.columns, strict=True)])
        for row in (*shown.rows, *([shown.total] if shown.total else []))
    ]
    if shown.total:
        rows.insert(-1, r"\midrule")
    lines += rows
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip\footnotesize {escape(note)}" for note in shown.legend("Bold")]
    return "\n".join([*lines, r"\end{table}", ""])


def report_text(report: ModelReport) -> str:
    """The report's table."""
    return table_text(report.table)


def _cell(cell: Any, column: Column) -> str:
    text = escape(precise(cell, column))
    return rf"\textbf{{{text}}}" if column.marks(cell) else text


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
