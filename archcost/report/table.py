"""A table that knows no format: raw values and what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeVar

Row = TypeVar("Row")

Kind = Literal[
    "text",
    "sentences",
    "count",
    "change",
    "share",
    "error",
    "percent",
    "ratio",
    "number",
    "bytes",
    "seconds",
    "rate",
    "joules",
    "shape",
    "integer",
    "year",
]
"""What a column holds.

``text``: a str. ``sentences``: a tuple of str, which a terminal shows below the row. ``count``: an
int to be scaled for people. ``change``: the same with its sign. ``share``: a float, 1.0 is all.
``error``: a float, 0.1 is a tenth too much.
``percent``: a float, 100.0 is all. ``ratio``: a float, how many times something else. ``number``: a
float. ``bytes``: an int. ``seconds``: a float. ``rate``: a float, so many in a second.
``joules``: a float. ``shape``: a tuple of ints. ``integer``: an int of which every digit is shown.
``year``: an int that is no quantity.
A missing value is None in each of them.
"""
LEFT: Final[frozenset[Kind]] = frozenset({"text", "sentences", "shape"})
"""What is written from the left, not from the right as numbers are."""


class Column(NamedTuple):
    """``key`` names the column in data formats and options, ``label`` for people.

    Where room is short the columns of a higher ``rank`` are left out first; the data formats
    write all. ``styles`` gives colours to cells of text that begin with a word. ``missing`` is what
    people read where there is no value. Cells that have the value ``best`` are marked as such for
    people, in each format as it can. The colour of one that ``leads`` is its row's in a terminal.
    """

    key: str
    label: str
    kind: Kind
    rank: int = 1
    styles: Mapping[str, str] = MappingProxyType({})
    missing: str = ""
    best: Any = None
    leads: bool = False

    def marks(self, cell: Any) -> bool:
        """Whether ``cell`` is the best of the column."""
        return self.best is not None and bool(cell == self.best)


def sort_key(column: Column) -> tuple[Callable[[Any], Any], bool]:
    """How the cells of a column are sorted: a key, and whether the usual order is descending.

    Names go from A to Z whatever their case, years onwards, numbers from the largest, shapes by
    their elements. The key takes no None.
    """
    if column.kind == "text":
        return lambda cell: str(cell).casefold(), False
    if column.kind == "year":
        return lambda cell: cell, False
    return lambda cell: prod(cell) if type(cell) is tuple else cell, True


def in_order(
    rows: Iterable[Row], column: Column, cell: Callable[[Row], Any], *, reverse: bool = False
) -> list[Row]:
    """``rows`` sorted by what ``cell`` gives of each; those without a value last, either way."""
    key, descending = sort_key(column)
    rows = list(rows)
    known = [row for row in rows if cell(row) is not None]
    known.sort(key=lambda row: key(cell(row)), reverse=descending != reverse)
    return [*known, *(row for row in rows if cell(row) is None)]


class Table(NamedTuple):
    """Rows of raw values, one for each column; ``total`` is one more such row, or None."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()

    def sorted_by(self, key: str, *, reverse: bool = False) -> Table:
        """The table with its rows sorted by the column ``key``; equal ones stay as they are.

        Raises:
            KeyError: no column has that key.
        """
        keys = [column.key for column in self.columns]
        if key not in keys:
            raise KeyError(key)
        index = keys.index(key)
        rows = in_order(self.rows, self.columns[index], lambda row: row[index], reverse=reverse)
        return self._replace(rows=tuple(rows))

    def legend(self, mark: str) -> tuple[str, ...]:
        """The notes, and where a cell is marked as the best what the ``mark`` means."""
        marked = any(c.marks(row[i]) for i, c in enumerate(self.columns) for row in self.rows)
        return (*self.notes, *([f"{mark}: the best of its column."] if marked else []))

    def without(self, keys: Iterable[str]) -> Table:
        """The table without the columns ``keys``."""
        left_out = set(keys)
        return self._only([i for i, c in enumerate(self.columns) if c.key not in left_out])

    def upto(self, rank: int) -> Table:
        """The table without the columns of a rank above ``rank``."""
        return self._only([i for i, c in enumerate(self.columns) if c.rank <= rank])

    def _only(self, chosen: Sequence[int]) -> Table:
        return self._replace(
            columns=tuple(self.columns[index] for index in chosen),
            rows=tuple(tuple(row[index] for index in chosen) for row in self.rows),
            total=self.total and tuple(self.total[index] for index in chosen),
        )


class Section(NamedTuple):
    """A heading and paragraphs below it."""

    heading: str
    paragraphs: tuple[str, ...]


class Document(NamedTuple):
    """A title, and sections and tables below it."""

    title: str
    parts: tuple[Section | Table, ...]


DOCUMENT_RANK = 3
"""The highest rank that documents (Markdown, LaTeX, HTML) show."""
