"""A table as CSV: a header of keys, then one line a row, raw numbers; no totals, no notes."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from archcost.ir import shape_text
from archcost.report.format import visible

if TYPE_CHECKING:
    from archcost.report.model import ModelReport
    from archcost.report.table import Kind, Table

# A spreadsheet runs a cell that begins like this as a formula; the last four are full-width forms.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where people write 0,5 it takes a semicolon for the end of a cell, quoted or not.
_NEXT_CELL = re.compile(rf"(;[\"']*)(?=[{re.escape(''.join(FORMULA))}])")


def table_text(table: Table) -> str:
    """The whole table, all its columns.

    A text that a spreadsheet would run has an apostrophe before it. Numbers are numbers, those
    below zero too.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        writer.writerow([_cell(value, kind) for value, kind in zip(row, kinds, strict=True)])
    return file.getvalue()


def report_text(report: ModelReport) -> str:
    """The report's table."""
    return table_text(report.table)


def _cell(value: Any, kind: Kind) -> str | int | float:
    if value is None:
        return ""
    if kind == "shape":
        return shape_text(value)
    if kind not in ("text", "sentences"):
        number: int | float = value
        return number
    text = str(value) if kind == "text" else "; ".join(value)
    text = _NEXT_CELL.sub(r"\1'", f"'{text}" if text.startswith(FORMULA) else text)
    return visible(text)
