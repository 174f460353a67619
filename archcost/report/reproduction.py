"""What ``archcost reproduce`` shows: published numbers beside computed ones, with the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from archcost.report.format import as_printed
from archcost.report.table import Column, Document, Table

if TYPE_CHECKING:
    from archcost.published.verdicts import Verdict

STYLES: Final[Mapping[str, str]] = {
    "match": "green",
    "other convention": "cyan",
    "erratum": "yellow",
    "not reproduced": "bold red",
}
COLUMNS: Final = (
    Column("row", "Row", "text"),
    Column("column", "Column", "text"),
    Column("printed", "Printed", "text"),
    Column("computed", "Computed", "text"),
    Column("verdict", "Verdict", "text", 1, STYLES),
    Column("explanation", "Explanation", "sentences", 2),
)
_SHORT: Final = {"match under another convention": "other convention"}
TALLY_COLUMNS: Final = (
    Column("table", "Table", "text"),
    Column("cells", "Cells", "integer"),
    Column("match", "Match", "integer"),
    Column("other", "Other convention", "integer"),
    Column("erratum", "Erratum", "integer"),
    Column("not_reproduced", "Not reproduced", "integer"),
)
KEYS: Final = (
    "table",
    "row",
    "column",
    "printed",
    "computed",
    "convention",
    "verdict",
    "claim",
    "explanation",
)
"""What CSV has of a cell, and JSON besides other things."""


def verdict_tables(verdicts: Iterable[Verdict]) -> list[Table]:
    """A table for each printed one, one row a cell."""
    return [
        Table(
            f"{printed.name}: {printed.title} ({printed.source})",
            COLUMNS,
            tuple(map(_row, cells)),
            notes=printed.notes,
        )
        for printed, cells in groupby(verdicts, key=lambda verdict: verdict.table)
    ]


def _row(verdict: Verdict) -> tuple[Any, ...]:
    cell = verdict.cell
    return (
        cell.row,
        cell.column,
        cell.printed.text,
        computed_text(verdict),
        _SHORT.get(verdict.kind, verdict.kind),
        tuple(filter(None, (_why(verdict), verdict.problem))),
    )


def computed_text(verdict: Verdict) -> str:
    """The computed number in the unit of the printed one."""
    printed = verdict.cell.printed
    number = as_printed(verdict.computed / printed.scale, printed.number)
    return number if printed.symbol == "1" else f"{number} {printed.symbol}"


def judgement(verdict: Verdict) -> str:
    """The verdict in words, with the convention or claim that it names."""
    if verdict.kind == "match under another convention":
        return f"match by {verdict.convention}"
    return f"{verdict.kind}: {verdict.claim}" if verdict.claim else verdict.kind


def _why(verdict: Verdict) -> str:
    """The explanation, after the convention or claim that the verdict names."""
    named = verdict.claim
    if verdict.kind == "match under another convention":
        named = f"by {verdict.convention}"
    if not named:
        return verdict.explanation
    return f"{named}: {verdict.explanation}" if verdict.explanation else named


def tally_table(tallies: Mapping[str, Mapping[str, int]]) -> Table:
    """How many cells of each printed table have which verdict, and of all together."""
    rows = tuple((name, sum(counts.values()), *counts.values()) for name, counts in tallies.items())
    sums = [sum(numbers) for numbers in list(zip(*rows, strict=True))[1:]]
    total: tuple[Any, ...] = ("all", *sums)
    return Table("Verdicts", TALLY_COLUMNS, rows, total if len(rows) > 1 else None)


def flat_table(verdicts: Iterable[Verdict]) -> Table:
    """All cells in one table, as CSV has them."""
    rows = tuple(
        tuple(None if (value := verdict.as_dict()[key]) is None else str(value) for key in KEYS)
        for verdict in verdicts
    )
    return Table("", tuple(Column(key, key, "text") for key in KEYS), rows)


def claims_table(claims: Mapping[str, Callable[..., Any]]) -> Table:
    """Each claim with what its test says of itself."""
    columns = (Column("claim", "Claim", "text"), Column("about", "What it says", "sentences"))
    rows = tuple((name, (_summary(test),)) for name, test in claims.items())
    return Table("", columns, rows)


def _summary(test: Callable[..., Any]) -> str:
    return " ".join((test.__doc__ or "").split("\n\n")[0].replace("``", "").split())


def cells_table(title: str, verdicts: Iterable[Verdict]) -> Table:
    """Cells of several printed tables in one, all of them with the same verdict."""
    columns = (Column("table", "Table", "text"), *COLUMNS)
    rows = tuple((verdict.table.name, *_row(verdict)) for verdict in verdicts)
    return Table(title, columns, rows).without({"verdict"})


def verdicts_document(
    shown: Sequence[Verdict], tallies: Mapping[str, Mapping[str, int]]
) -> Document:
    """The cells ``shown``, table by table, and the tally of all."""
    return Document("", (*verdict_tables(shown), tally_table(tallies)))
