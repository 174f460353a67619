"""A table that knows no format: raw values and what they are."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Kind = Literal["text", "count", "share", "bytes", "shape", "integer"]
"""What a column holds.

``text``: a str. ``count``: an int to be scaled for people. ``share``: a float, 1.0 is all.
``bytes``: an int. ``shape``: a tuple of ints. ``integer``: an int that is no quantity, like a year.
A missing value is None in each of them.
"""


class Column(NamedTuple):
    """``key`` names the column in data formats and options, ``label`` for people.

    Where room is short the columns of a higher ``rank`` are left out first; the data formats
    write all.
    """

    key: str
    label: str
    kind: Kind
    rank: int = 1


class Table(NamedTuple):
    """Rows of raw values, one for each column; ``total`` is one more such row, or None."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()

    def upto(self, rank: int) -> Table:
        """The table without the columns of a rank above ``rank``."""
        chosen = [index for index, column in enumerate(self.columns) if column.rank <= rank]
        return Table(
            self.title,
            tuple(self.columns[index] for index in chosen),
            tuple(tuple(row[index] for index in chosen) for row in self.rows),
            self.total and tuple(self.total[index] for index in chosen),
            self.notes,
        )


DOCUMENT_RANK = 3
"""The highest rank that documents (Markdown, LaTeX, HTML) show."""
