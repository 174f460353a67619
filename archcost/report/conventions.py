"""What ``archcost conventions`` shows: a network under every convention, and the conventions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.conventions.convention import in_words
from archcost.ir import Graph, shape_text
from archcost.report.format import assumed, count, signed
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.conventions import Convention, Count
    from archcost.verify import Check

BASE: Final = "mult-adds"
COLUMNS: Final = (
    Column("convention", "Convention", "text"),
    Column("counts", "Counts", "text"),
    Column("number", "Number", "count"),
    Column("difference", f"vs {BASE}", "change"),
    Column("params", "Params", "count", 2),
    Column("why", "Why", "sentences", 3),
)
ABOUT_COLUMNS: Final = (
    Column("convention", "Convention", "text"),
    Column("quantities", "Numbers", "text"),
    Column("read", "Read", "text", 3),
    Column("title", "What it is", "sentences", 2),
    Column("source", "Source", "sentences", 2),
)
CHECK_COLUMNS: Final = (
    Column("convention", "Convention", "text"),
    Column("quantity", "Number", "text"),
    Column("computed", "archcost", "integer"),
    Column("counted", "Program", "integer"),
    Column("equal", "", "text", 1, {"equal": "green", "differs": "red", "not run": "yellow"}),
    Column("why", "Why", "sentences", 3),
)


def conventions_table(graph: Graph, counts: Sequence[Count]) -> Table:
    """One row a convention; the reasons of its difference from ``mult-adds`` with it."""
    title = f"{graph.metadata.get('title') or graph.name}, counted by convention"
    inputs = ", ".join(shape_text(value.shape) for value in graph.inputs)
    return Table(
        title,
        COLUMNS,
        tuple(map(_row, counts)),
        notes=(f"Input {inputs}.", *assumed(_assumptions(graph))),
    )


def _row(counted: Count) -> tuple[Any, ...]:
    convention = counted.convention
    others = {
        quantity: number
        for quantity, number in counted.numbers.items()
        if quantity not in (convention.main, "params")
    }
    difference = sum(reason.amount for reason in counted.reasons)
    ignored = ", ".join(map(in_words, counted.ignored))
    also = ", ".join(f"{quantity} {count(number)}" for quantity, number in others.items())
    return (
        convention.name,
        convention.main,
        counted.main,
        difference if convention.name != BASE else None,
        counted.numbers.get("params"),
        (
            *(f"{signed(reason.amount)}: {reason.why}" for reason in counted.reasons),
            *([f"also: {also}"] if also else []),
            *([f"not counted: {ignored}"] if ignored else []),
        ),
    )


def conventions_document(
    graph: Graph, counts: Iterable[Count], checks: Iterable[Check] | None = None
) -> dict[str, Any]:
    """The numbers as plain data."""
    counts = list(counts)
    document: dict[str, Any] = {
        "model": graph.name,
        "inputs": [value.shape for value in graph.inputs],
        "assumptions": _assumptions(graph),
        "conventions": {c.convention.name: c.numbers for c in counts},
        "differences": {
            c.convention.name: [reason._asdict() for reason in c.reasons] for c in counts
        },
        "ignored": {c.convention.name: c.ignored for c in counts},
    }
    if checks is not None:
        document["checks"] = [{**check._asdict(), "agrees": check.agrees} for check in checks]
    return document


def _assumptions(graph: Graph) -> Sequence[str]:
    return graph.metadata.get("assumptions") or ()


def about_table(conventions: Iterable[Convention]) -> Table:
    """One row a convention: what it is and where it was read."""
    rows = tuple(
        (c.name, ", ".join(c.quantities), c.read, (c.title,), (c.source,)) for c in conventions
    )
    return Table("Counting conventions", ABOUT_COLUMNS, rows)


def about_document(conventions: Iterable[Convention]) -> list[dict[str, Any]]:
    """What there is to say of each convention, as plain data."""
    return [
        {
            "name": c.name,
            "title": c.title,
            "quantities": c.quantities,
            "main": c.main,
            "about": c.about.strip(),
            "source": c.source,
            "read": c.read,
        }
        for c in conventions
    ]


def about_markdown(conventions: Iterable[Convention]) -> str:
    """A section a convention, for the guide."""
    return "\n".join(
        re.sub(r"``(.+?)``", r"`\1`", f"### `{c.name}`\n\n{_about(c)}") for c in conventions
    )


def about_pages(conventions: Iterable[Convention]) -> Document:
    """All there is to say of each convention, for a terminal: as wide as that is."""
    return Document("", tuple(Section(c.name, _paragraphs(_about(c))) for c in conventions))


def _paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a docstring, each item of a list being one."""
    pieces = re.split(r"\n\n|\n(?=- )", text.replace("``", "`"))
    return tuple(" ".join(piece.split()) for piece in pieces)


def _about(convention: Convention) -> str:
    numbers = ", ".join(f"``{quantity}``" for quantity in convention.quantities)
    origin = f"Numbers: {numbers}. Source: {convention.source}; read on {convention.read}."
    return f"{convention.about.strip()}\n\n{origin}\n"


def checks_table(graph: Graph, checks: Iterable[Check]) -> Table:
    """One row a number: archcost's beside that of the program that was run."""
    rows = tuple(
        (
            check.convention,
            check.quantity,
            check.computed,
            check.counted,
            "not run" if check.counted is None else "equal" if check.agrees else "differs",
            (check.error,) if check.error else (),
        )
        for check in checks
    )
    title = f"{graph.metadata.get('title') or graph.name}: the installed programs' own numbers"
    return Table(title, CHECK_COLUMNS, rows, notes=assumed(_assumptions(graph)))
