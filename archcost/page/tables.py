"""Tables as pages have them: cells with what they are sorted by, and a page of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from archcost.page.shell import About, page
from archcost.report.format import people, precise, shortened
from archcost.report.table import LEFT, Column, Document, Section, Table, sort_key

MOST_NAME: Final = 300
"""Characters of a name in a table."""
WORTH_FILTERING: Final = 10
"""Rows of a table, or tables of a page, from which on a page has a field to filter them."""
WORDS: Final = frozenset({"text", "sentences"})
"""The kinds of columns that are not sorted by a number."""


class Whole(str):
    """A text of our own, which a page never shortens."""

    __slots__ = ()


class Head(NamedTuple):
    """A column's head; ``descending`` is how its first sorting goes."""

    key: str
    label: str
    kind: str
    left: bool
    descending: bool


class Cell(NamedTuple):
    """A cell: its text, or its ``sentences``.

    ``value`` is the number that it is sorted by; None where it is sorted by its text or last.
    ``bar`` is the length of a bar, 1 the longest; ``style`` a word for its looks; ``best`` what is
    to be marked; ``exact`` are all the digits of a text that has not all of them.
    """

    text: str
    value: str | None = None
    sentences: tuple[str, ...] = ()
    bar: float | None = None
    style: str = ""
    best: bool = False
    exact: str = ""


class Row(NamedTuple):
    """A row; ``layers`` are the places of the network's layers that it is about: ``0-3,7``.

    ``mark`` stands behind what it is called, which leads to ``href``; ``name`` is what scripts
    find it by, ``style`` a word for its looks.
    """

    cells: tuple[Cell, ...]
    layers: str = ""
    mark: str = ""
    href: str = ""
    name: str = ""
    style: str = ""


class Grid(NamedTuple):
    """A table; ``id`` is that of its element."""

    id: str
    title: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    total: Row | None
    notes: tuple[str, ...]


def grid(table: Table, id_: str, layers: Iterable[str] = (), *, scaled: bool = False) -> Grid:
    """``table`` as a page shows it; ``layers`` has a row's :attr:`Row.layers` each.

    ``scaled``: numbers have an SI prefix (5.49 M), and all their digits when they are pointed at.
    """
    columns = table.columns
    numbered = [*layers] or [""] * len(table.rows)
    most = [
        max([row[place] or 0.0 for row in table.rows], default=0.0) if c.kind == "share" else 0.0
        for place, c in enumerate(columns)
    ]
    return Grid(
        id_,
        table.title,
        tuple(map(_head, columns)),
        tuple(
            Row(_cells(row, columns, most, scaled), at, style=_row_style(row, columns))
            for row, at in zip(table.rows, numbered, strict=True)
        ),
        Row(_cells(table.total, columns, [0.0] * len(columns), scaled)) if table.total else None,
        table.legend("★"),
    )


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in short: ``0-3,7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return Whole(",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts))


def _head(column: Column) -> Head:
    _, descending = sort_key(column)
    left = column.kind in LEFT
    return Head(
        column.key, column.label, column.kind, left, descending and column.kind not in WORDS
    )


def _cells(
    row: Sequence[Any], columns: Sequence[Column], most: Sequence[float], scaled: bool
) -> tuple[Cell, ...]:
    """``most`` has the largest share of a column, whose bar is the longest; 0: no bars."""
    return tuple(_cell(*cell, scaled) for cell in zip(row, columns, most, strict=True))


def _cell(value: Any, column: Column, most: float, scaled: bool) -> Cell:
    kind = column.kind
    if kind == "sentences":
        return Cell("", sentences=tuple(value or ()))
    text = exact = precise(value, column)
    if scaled:
        text = people(value, column)
    if value is None or kind in WORDS:
        return Cell(shortened(text, MOST_NAME), style=_style(text, column))
    key, _ = sort_key(column)
    return Cell(
        text,
        f"{key(value):.12g}" if isinstance(value, float) else str(key(value)),
        bar=min(1.0, max(0.0, value / most)) if most else None,
        style=_style(text, column),
        best=column.marks(value),
        exact=exact,
    )


def _style(text: str, column: Column) -> str:
    """The last word of the style that a terminal gives it: ``red`` of ``bold red``."""
    styles = column.styles.items()
    return next((style.split()[-1] for word, style in styles if text.startswith(word)), "")


def _row_style(row: Sequence[Any], columns: Sequence[Column]) -> str:
    """The style of the cell that leads the row."""
    leading = (_style(str(cell), c) for cell, c in zip(row, columns, strict=True) if c.leads)
    return next(leading, "")


def table_page(thing: Table | Document, about: About = About()) -> str:  # noqa: B008 (a tuple)
    """A page that shows a table or a document.

    Raises:
        MissingLibraryError: Jinja2 is not installed.
    """
    parts = (thing,) if isinstance(thing, Table) else thing.parts
    tables = [part for part in parts if isinstance(part, Table)]
    shown = [
        part if isinstance(part, Section) else grid(part, f"table-{number}")
        for number, part in enumerate(parts)
    ]
    rows = sum(len(table.rows) for table in tables)
    return page(
        "document.html",
        about,
        title=thing.title or about.command or "archcost",
        scripts=("table.js", "filter.js"),
        parts=[("section" if isinstance(p, Section) else "table", p) for p in shown],
        contents=[] if isinstance(thing, Table) else _contents(thing),
        alone=isinstance(thing, Table),
        filtered=rows >= WORTH_FILTERING,
        rows=rows,
    )


def _contents(document: Document) -> list[tuple[int, str]]:
    """The places of the document's parts that have a heading, and the headings."""
    headings = [p.heading if isinstance(p, Section) else p.title for p in document.parts]
    return [(place, heading) for place, heading in enumerate(headings) if heading]
