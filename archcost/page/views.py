"""The layers of a network in tables: one a layer, and grouped by block, stage and operator."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from archcost.page.tables import Grid, grid, ranges
from archcost.report.format import exact
from archcost.report.model import GROUPINGS, ModelReport, grouped, model_report
from archcost.report.table import Table

MOST_ROWS: Final = 2500
"""Rows of a table of a page: it stays below 6 MB, and is there within a second."""
RANK: Final = 4
"""The highest rank of a column that is shown."""
LEFT_OUT: Final = frozenset({"params_share"})
LEFT_OUT_WITH_TIMES: Final = LEFT_OUT | {"macs_share"}
"""Columns that a page does not show: what they say can be seen in the figures."""
NAMES: Final = {"layer": "Layers", "block": "Blocks", "stage": "Stages", "op": "Operators"}


class View(NamedTuple):
    """One way to group the layers."""

    by: str
    label: str
    grid: Grid


def views(report: ModelReport) -> list[View]:
    """The report's own table as it is, and one of each other grouping."""
    index = {row.name: number for number, row in enumerate(report.analysis.layers)}
    found = []
    left_out = LEFT_OUT if report.estimate is None else LEFT_OUT_WITH_TIMES
    for by in GROUPINGS:
        groups = grouped(report.analysis, by)
        table = report.table
        if by != report.by or len(table.rows) > MOST_ROWS:
            top = MOST_ROWS if len(groups) > MOST_ROWS else None
            table = model_report(report.analysis, by=by, top=top, estimate=report.estimate).table
        notes: tuple[str, ...] = ()
        if len(table.rows) > MOST_ROWS:
            shown, number = exact(MOST_ROWS), exact(len(groups))
            notes = (f"The {shown} of {number} with the most MACs; --format csv has all.",)
        places = [
            ranges([index[layer.name] for layer in groups.get(row[0], ())]) for row in table.rows
        ]
        its = _with_last(table.upto(RANK).without(left_out), "flops")._replace(notes=notes)
        id_ = "layers" if by == "layer" else f"by-{by}"
        found.append(View(by, NAMES[by], grid(its, id_, places)))
    return found


def _with_last(table: Table, key: str) -> Table:
    """The table with the column ``key`` at the end: it is about twice another."""
    keys = [column.key for column in table.columns]
    order = sorted(range(len(keys)), key=lambda place: keys[place] == key)

    def ordered(cells: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(cells[place] for place in order)

    return table._replace(
        columns=ordered(table.columns),
        rows=tuple(map(ordered, table.rows)),
        total=table.total and ordered(table.total),
    )
