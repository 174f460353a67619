"""Printed tables, as data: what stands in each cell and what it speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from archcost.ir import ArchcostError
from archcost.published.files import NOT_AS_MEANT, PublishedError, documents, names_of
from archcost.published.measure import Measure
from archcost.published.printed import Printed
from archcost.sources.zoo import squashed
from archcost.spec import nearest


class UnknownTableError(ArchcostError, LookupError):
    """No table has that name."""


@dataclass(frozen=True)
class Cell:
    """One printed number; the keys are described in ``tables/README.md``.

    ``row`` and ``column`` are the labels it stands at, ``measure`` is what it speaks of. Of
    ``counted``, ``erratum`` and ``tried`` at most one is given: the number holds under another
    convention, or is wrong in a way that is checked, or was not reproduced.
    """

    row: str
    column: str
    printed: Printed
    measure: Measure
    counted: dict[str, Any] | None = None
    erratum: dict[str, Any] | None = None
    tried: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class PrintedTable:
    """A table, or the numbers of a text; ``name`` is ``mobilenet/4``, after document and table.

    ``source`` cites the document and the place in it; ``notes`` hold for the whole table. ``rows``
    and ``columns`` are the labels of the cells, in the order in which they first stand there.
    """

    name: str
    title: str
    source: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    rows: tuple[str, ...] = field(init=False)
    columns: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(dict.fromkeys(c.row for c in self.cells)))
        object.__setattr__(self, "columns", tuple(dict.fromkeys(c.column for c in self.cells)))

    def cell(self, row: str, column: str) -> Cell:
        """The cell in that row and column.

        Raises:
            PublishedError: there is none.
        """
        for cell in self.cells:
            if (cell.row, cell.column) == (row, column):
                return cell
        raise PublishedError(f"{self.name} has no cell {row!r}, {column!r}")


@lru_cache(maxsize=1)
def tables() -> tuple[PrintedTable, ...]:
    """All tables, by document and in the order of the document.

    Raises:
        PublishedError: a file of tables is broken.
    """
    return tuple(
        table for path, document in documents("tables") for table in _tables(path, document)
    )


def names() -> list[str]:
    """What :func:`select_tables` knows: the documents' names, then the tables'."""
    known = [table.name for table in tables()]
    return [*dict.fromkeys(name.partition("/")[0] for name in known), *known]


def select_tables(wanted: tuple[str, ...] = ()) -> tuple[PrintedTable, ...]:
    """The tables of these names, each a table's (``simplenet/1``) or a document's; all if none.

    Raises:
        UnknownTableError: a name is neither.
    """
    found: dict[str, PrintedTable] = {}
    for name in wanted or ("",):
        chosen = {t.name: t for t in tables() if name in ("", t.name, t.name.partition("/")[0])}
        if not chosen:
            raise UnknownTableError(f"no table {name!r:.100}{nearest(name, names())}")
        found |= chosen
    return tuple(table for table in tables() if table.name in found)


def cells_of(model: str) -> Iterator[tuple[PrintedTable, Cell]]:
    """The cells that speak of a network of the zoo, by name or alias.

    Raises:
        UnknownModelError: no such network.
    """
    called = names_of(model)
    for table in tables():
        for cell in table.cells:
            if squashed(cell.measure.model) in called:
                yield table, cell


_OF_MEASURE: Final = frozenset(f.name for f in fields(Measure)) - {"settings"} | {"set"}
_OF_PRINTED: Final = frozenset({"printed", "unit", "digits"})
_OF_CELL: Final = frozenset({"counted", "erratum", "tried", "note"})


def _tables(path: Path, document: Any) -> Iterator[PrintedTable]:
    try:
        for name, table in document["tables"].items():
            where = table.get("where", "")
            cells = tuple(_cells(table))
            yield PrintedTable(
                f"{path.stem}/{name}",
                table["title"],
                ", ".join(filter(None, (document["source"], where))),
                cells,
                tuple(table.get("notes", ())),
            )
    except PublishedError as error:
        raise PublishedError(f"{path.name}: {error}") from None
    except NOT_AS_MEANT as error:
        raise PublishedError(f"{path.name}: {error!r:.200}") from None


def _cells(table: Mapping[str, Any]) -> Iterator[Cell]:
    columns = table["columns"]
    seen = set()
    for row in table["rows"]:
        label = str(row["row"])
        for column, printed in row["cells"].items():
            if (label, column) in seen:
                raise PublishedError(f"two cells in row {label!r}, column {column!r}")
            seen.add((label, column))
            if column not in columns:
                raise PublishedError(f"row {label!r}, column {column!r}: no such column")
            own = printed if isinstance(printed, dict) else {"printed": printed}
            keys = _merged(table.get("all", {}), columns[column] or {}, row, own)
            try:
                yield _cell(label, column, keys)
            except NOT_AS_MEANT as error:
                said = f"{error} is missing" if isinstance(error, KeyError) else error
                raise PublishedError(f"row {label!r}, column {column!r}: {said}") from None


def _merged(*levels: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a cell: those of its table, column, row and its own, the later ones first."""
    keys: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for level in levels:
        settings |= level.get("set", {})
        keys |= level
    for name in ("row", "cells"):
        keys.pop(name, None)
    return {**keys, "set": settings} if settings else keys


def _cell(row: str, column: str, keys: dict[str, Any]) -> Cell:
    unknown = keys.keys() - _OF_MEASURE - _OF_PRINTED - _OF_CELL
    if unknown:
        raise PublishedError(f"unknown key {', '.join(sorted(unknown))}")
    measured = {name: keys[name] for name in _OF_MEASURE & keys.keys()}
    measure = Measure(measured.pop("model"), measured.pop("quantity")).changed(measured)
    printed = Printed(str(keys["printed"]), keys.get("unit"), keys.get("digits"))
    said = {name: keys[name] for name in _OF_CELL & keys.keys()}
    if sum(name in said for name in ("counted", "erratum", "tried")) > 1:
        raise PublishedError("more than one of counted, erratum and tried")
    if not said.get("counted", {}).keys() <= {"convention", "quantity"}:
        raise PublishedError("counted takes convention and quantity")
    return Cell(row, column, printed, measure, **said)
