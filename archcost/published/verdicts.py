"""The verdict on each printed number: archcost's own beside it, and whether its claim holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple

from archcost.published.claims import tested
from archcost.published.tables import Cell, PrintedTable

Kind = Literal["match", "match under another convention", "erratum", "not reproduced"]
KINDS: Final[tuple[Kind, ...]] = (
    "match",
    "match under another convention",
    "erratum",
    "not reproduced",
)


class Verdict(NamedTuple):
    """What archcost says of a cell.

    ``computed`` is its number under ``convention``, in single units or bytes: that which the cell
    speaks of or, for a match under another one, that other one. ``claim`` names the claim of an
    erratum. ``problem`` tells what the data says of the cell that is not so; the verdict is then
    *not reproduced*, unless the cell matches anyway.
    """

    table: PrintedTable
    cell: Cell
    kind: Kind
    computed: Fraction
    convention: str
    claim: str | None = None
    explanation: str = ""
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as ``archcost reproduce --format json`` writes it."""
        return {
            "table": self.table.name,
            "row": self.cell.row,
            "column": self.cell.column,
            "printed": self.cell.printed.text,
            "unit": self.cell.printed.symbol,
            "computed": plain(self.computed),
            "convention": self.convention,
            "verdict": self.kind,
            "claim": self.claim,
            "explanation": self.explanation,
            "model": self.cell.measure.model,
            "quantity": self.cell.measure.quantity,
        }


def plain(number: Fraction) -> int | float:
    """An int where it is one."""
    return int(number) if number.denominator == 1 else float(number)


def judge(table: PrintedTable, cell: Cell) -> Verdict:
    """The verdict on one cell.

    Raises:
        PublishedError: the cell speaks of what its network does not have.
        ArchcostError: its network cannot be had.
    """
    value = cell.measure.value()
    found = Verdict(table, cell, "not reproduced", value, cell.measure.under)
    agreement = cell.printed.agreement(value)
    if agreement:
        needless = cell.counted or cell.erratum or cell.tried
        return found._replace(
            kind="match",
            explanation=_joined(agreement if agreement != "rounded" else "", cell.note),
            problem="it matches: counted, erratum or tried is not needed" if needless else None,
        )
    if cell.counted:
        other = cell.measure.changed(cell.counted)
        number = other.value()
        if other.under == cell.measure.under:
            return found._replace(problem=f"counted: {other.under} is no other convention")
        if cell.printed.agreement(number):
            return found._replace(
                kind="match under another convention",
                computed=number,
                convention=other.under,
                explanation=_joined(cell.note),
            )
        return found._replace(
            problem=f"under {other.under} it is {plain(number):,}", explanation=_joined(cell.note)
        )
    if cell.erratum:
        finding = tested(table, cell)
        if finding.holds:
            return found._replace(
                kind="erratum",
                claim=cell.erratum["claim"],
                explanation=_joined(finding.says, cell.note),
            )
        return found._replace(
            problem=f"claim {cell.erratum['claim']!r} does not hold: {finding.says}, "
            f"{plain(finding.value):,}",
            explanation=_joined(cell.note),
        )
    return found._replace(
        explanation=_joined(cell.tried, cell.note),
        problem=None if cell.tried else "neither matched nor explained",
    )


def verdicts(chosen: Iterable[PrintedTable]) -> Iterator[Verdict]:
    """The verdicts on all cells of some tables, in order; see :func:`judge`."""
    return (judge(table, cell) for table in chosen for cell in table.cells)


def tallies(found: Iterable[Verdict]) -> dict[str, dict[str, int]]:
    """For each table by name, how many verdicts of each kind there are, zeros too."""
    counts: dict[str, dict[str, int]] = {}
    for verdict in found:
        own = counts.setdefault(verdict.table.name, dict.fromkeys(KINDS, 0))
        own[verdict.kind] += 1
    return counts


def _joined(*texts: str | None) -> str:
    """The texts as sentences; a word that is not all in small letters (arXiv) stays as it is."""
    sentences = []
    for text in filter(None, texts):
        first = text.partition(" ")[0]
        start = text[0].upper() + text[1:] if first.islower() else text
        sentences.append(f"{start.rstrip('.')}.")
    return " ".join(sentences)
