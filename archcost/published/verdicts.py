"""The verdict on each printed number: archcost's own beside it, and whether its claim holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple

from archcost.ir import ArchcostError
from archcost.published.claims import tested
from archcost.published.files import NOT_AS_MEANT, PublishedError
from archcost.published.measure import Measure
from archcost.published.printed import Agreement
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
        PublishedError: the cell is broken, or speaks of what its network does not have, or its
            network cannot be had; the message names the cell.
    """
    try:
        return _judged(table, cell)
    except (ArchcostError, *NOT_AS_MEANT) as error:
        where = f"{table.name}, row {cell.row!r}, column {cell.column!r}"
        raise PublishedError(f"{where}: {error}") from error


def _judged(table: PrintedTable, cell: Cell) -> Verdict:
    value, under = cell.measure.value(), cell.measure.under
    found = Verdict(table, cell, "not reproduced", value, under, explanation=_joined(cell.note))
    agreement = cell.printed.agreement(value)
    if agreement is not None:
        return _matched(found, agreement)
    if cell.counted is not None:
        return _elsewhere(found, cell.measure.changed(cell.counted))
    if cell.erratum is not None:
        return _claimed(found, cell.erratum)
    return found._replace(
        explanation=_joined(cell.tried, cell.note),
        problem=None if cell.tried else "neither matched nor explained",
    )


def _matched(found: Verdict, agreement: Agreement) -> Verdict:
    cell = found.cell
    needless = (cell.counted, cell.erratum, cell.tried) != (None, None, None)
    return found._replace(
        kind="match",
        explanation=_joined(agreement if agreement != "rounded" else None, cell.note),
        problem="it matches: counted, erratum or tried is not needed" if needless else None,
    )


def _elsewhere(found: Verdict, measure: Measure) -> Verdict:
    """Whether the number holds for ``measure``, which is under another convention."""
    if measure.under == found.convention:
        return found._replace(problem=f"counted: {measure.under} is no other convention")
    value = measure.value()
    if found.cell.printed.agreement(value) is None:
        return found._replace(problem=f"under {measure.under} it is {plain(value):,}")
    return found._replace(
        kind="match under another convention", computed=value, convention=measure.under
    )


def _claimed(found: Verdict, erratum: Mapping[str, Any]) -> Verdict:
    """Whether the claim of ``erratum`` holds."""
    finding = tested(found.table, found.cell)
    claim = erratum["claim"]
    if not finding.holds:
        said = f"{finding.says}, {plain(finding.value):,}"
        return found._replace(problem=f"claim {claim!r} does not hold: {said}")
    return found._replace(
        kind="erratum", claim=claim, explanation=_joined(finding.says, found.cell.note)
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
