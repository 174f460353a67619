"""A table or report in a terminal, as wide as the terminal is; made with rich.

Everything is :class:`rich.text.Text`: brackets in names are no markup. The columns' widths are
worked out here and not by rich, because numbers must never be cut: columns that do not fit are
left out by rank, and only texts are shortened.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from archcost.report.format import people, visible
from archcost.report.summary import Fact, citation, facts, heading, identity
from archcost.report.table import LEFT, Document, Section, Table

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType, RenderResult

    from archcost.report.model import ModelReport

DEFAULT_WIDTH = 80
GAP = 2
LABEL = 17  # "Receptive field  "
NARROWEST_FACT = 20
SHORTEST_TEXT = 12
SHORTEST_BAR, LONGEST_BAR = 5, 20
PERCENT = 7  # "100.0 %"
BEST = "*"
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_BREAK = re.compile(r"(?<!\d) | (?![kKMGT](?:i?B)?\b|%)")  # not between a number and its unit


class TableView:
    """A table that fits itself to the console it is printed on."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.table.title:
            yield _text(self.table.title, options.max_width, "bold")
            yield Text()
        layout = _laid_out(self.table, options.max_width)
        yield from _grid(self.table, layout, options.max_width, options.ascii_only)
        notes = [*self.table.legend(BEST), *_left_out(self.table, layout)]
        if notes:
            yield Text()
        for note in notes:
            yield _text(note, options.max_width, "dim")


class DocumentView:
    """A document: its title, then its sections and tables."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.document.title:
            yield _text(self.document.title, options.max_width, "bold underline")
        for number, part in enumerate(self.document.parts):
            if number or self.document.title:
                yield Text()
            if isinstance(part, Section):
                yield _text(part.heading, options.max_width, "bold")
                for paragraph in part.paragraphs:
                    yield Text()
                    yield _text(paragraph, options.max_width)
            else:
                yield TableView(part)


class FactsView:
    """A title and a line below it, facts, tables, facts, notes."""

    def __init__(
        self,
        title: str,
        line: str,
        above: list[Fact],
        tables: Sequence[Table],
        below: list[Fact],
        notes: Sequence[str],
    ) -> None:
        self.title = title
        self.line = line
        self.above = above
        self.tables = tables
        self.below = below
        self.notes = notes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield SheetView(self.title, self.line, self.above)
        yield Text()
        for table in self.tables:
            if table.title:
                yield _text(table.title, width, "bold")
            yield from _grid(table, _laid_out(table, width), width, options.ascii_only)
            yield Text()
        yield from _facts(self.below, width)
        yield Text()
        legends = [line for table in self.tables for line in table.legend(BEST)]
        for note in (*legends, *self.notes):
            yield _text(note, width, "dim")


class ReportView:
    """A model's report: heading, table, facts, notes."""

    def __init__(self, report: ModelReport) -> None:
        self.report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        report = self.report
        yield FactsView(
            heading(report)[0],
            citation(report.source),
            identity(report),
            (report.table._replace(title="", notes=()),),
            facts(report),
            report.table.notes,
        )


class SheetView:
    """A title, a line below it, and facts."""

    def __init__(self, title: str, line: str, lines: list[Fact]) -> None:
        self.title = title
        self.line = line
        self.facts = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _text(self.title, options.max_width, "bold")
        if self.line:
            yield _text(self.line, options.max_width, "dim")
        yield from _facts(self.facts, options.max_width)


def view(thing: Table | Document | ModelReport) -> TableView | DocumentView | ReportView:
    """How a terminal shows ``thing``."""
    if isinstance(thing, Table):
        return TableView(thing)
    return DocumentView(thing) if isinstance(thing, Document) else ReportView(thing)


def table_text(table: Table, *, width: int = DEFAULT_WIDTH) -> str:
    """The table as plain text."""
    return plain(TableView(table), width)


def document_text(document: Document, *, width: int = DEFAULT_WIDTH) -> str:
    """The document as plain text."""
    return plain(DocumentView(document), width)


def report_text(report: ModelReport, *, width: int = DEFAULT_WIDTH) -> str:
    """The report as plain text."""
    return plain(ReportView(report), width)


def plain(view: RenderableType, width: int = DEFAULT_WIDTH) -> str:
    """What a view shows as plain text, without colours."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False)
    console.print(view)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _text(text: str, width: int, style: str = "") -> Text:
    """A paragraph; rich's own wrapping leaves blanks at the ends of lines."""
    return Text("\n".join(_filled(_words(visible(text), width), width)), style)


def _facts(lines: list[Fact], width: int) -> list[Text]:
    """Labels on the left, what they say on the right; lines break between the pieces.

    Where that is too narrow a label stands on a line of its own.
    """
    beside = width - LABEL >= NARROWEST_FACT
    indent = LABEL if beside else GAP
    room = width - indent
    result = []
    for label, items in lines:
        pieces = []
        for number, item in enumerate(items):
            piece = visible(item) + ("," if number < len(items) - 1 else "")
            # Only a piece that is longer than a line is broken itself, between words if it can.
            pieces += [piece] if cell_len(piece) <= room else _words(piece, room)
        text = Text(label.ljust(LABEL) if beside else f"{label}\n" if label else "", "bold")
        text.append("" if beside else " " * indent)
        text.append(("\n" + " " * indent).join(_filled(pieces, room)), "not bold")
        result.append(text)
    return result


def _filled(pieces: list[str], room: int) -> list[str]:
    """Lines of ``pieces``, as many in each as there is room for."""
    rows = [""]
    for piece in pieces:
        if not rows[-1]:
            rows[-1] = piece
        elif cell_len(rows[-1]) + 1 + cell_len(piece) <= room:
            rows[-1] += f" {piece}"
        else:
            rows.append(piece)
    return rows


def _words(text: str, room: int) -> list[str]:
    words = _BREAK.split(" ".join(text.split()))
    return [piece for word in words for piece in chop_cells(word, room)]


class Layout(NamedTuple):
    """A table's cells as they are shown, and the columns for which there is room: index, width."""

    labels: list[str]
    cells: list[list[str]]
    chosen: dict[int, int]


def _laid_out(table: Table, width: int) -> Layout:
    columns = table.columns
    rows = [*table.rows, *([table.total] if table.total else [])]
    # What can be marked has room for the mark behind it everywhere, so that the digits align.
    blanks = [" " * len(BEST) if column.best is not None else "" for column in columns]
    labels = [f"{column.label}{blank}" for column, blank in zip(columns, blanks, strict=True)]
    cells = [[people(cell, c) for cell, c in zip(row, columns, strict=True)] for row in rows]
    for index, column in enumerate(columns):
        if column.best is not None:
            for row, texts in zip(rows, cells, strict=True):
                texts[index] += BEST if column.marks(row[index]) else blanks[index]
    natural = [
        max([len(label), *(cell_len(line[index]) for line in cells)])
        for index, label in enumerate(labels)
    ]
    return Layout(labels, cells, _fit(table, natural, width))


def _left_out(table: Table, layout: Layout) -> list[str]:
    """A note on the columns that belong to the table and for which there was no room."""
    labels = []
    for index, column in enumerate(table.columns):
        if column.rank > 1 or column.kind == "sentences" or index in layout.chosen:
            continue
        if column.kind != "ratio":
            labels.append(column.label)
        elif index - 1 in layout.chosen:
            labels.append(f"{column.label} of {table.columns[index - 1].label}")
    return [f"No room for: {', '.join(labels)}."] if labels else []


def _grid(table: Table, layout: Layout, width: int, ascii_only: bool) -> Iterator[Segment]:
    """The table's lines in ``width`` columns.

    They are segments, which rich prints as they are: a text takes it ten times as long, and there
    are networks of 100,000 layers.
    """
    kinds = [column.kind for column in table.columns]
    drawn = _drawn(table)
    labels, cells, chosen = layout

    bold, dim, cyan = Style.parse("bold"), Style.parse("dim"), Style.parse("cyan")
    best = Style.parse("bold green")

    def line(
        texts: Sequence[str], row: Sequence[Any] = (), style: Style | None = None
    ) -> Iterator[Segment]:
        text = ""
        for number, (index, room) in enumerate(chosen.items()):
            text += " " * GAP if number else ""
            coloured = row and _colour(table.columns[index].styles, texts[index])
            if coloured:
                yield Segment(text, style)
                yield Segment(_shortened(texts[index], room, ascii_only), Style.parse(coloured))
                text = " " * (room - cell_len(texts[index]))
                continue
            if row and table.columns[index].marks(row[index]):
                yield Segment(text + " " * (room - cell_len(texts[index])), style)
                yield Segment(texts[index], best)
                text = ""
                continue
            if index in drawn and row:
                length = room - 1 - PERCENT
                if text:
                    yield Segment(text, style)
                yield Segment(_bar(row[index], length, ascii_only), cyan)
                text = " " + texts[index].rjust(PERCENT)
                continue
            cell = _shortened(texts[index], room, ascii_only)
            blank = " " * (room - cell_len(cell))
            text += cell + blank if kinds[index] in LEFT else blank + cell
        yield Segment(text.rstrip(), style)
        yield Segment.line()

    rule = ("-" if ascii_only else "─") * (sum(chosen.values()) + GAP * (len(chosen) - 1))
    ruled = (Segment(rule, dim), Segment.line())
    yield from line(labels, style=bold)
    yield from ruled
    below = [index for index, kind in enumerate(kinds) if kind == "sentences"]
    leading = [(index, c.styles) for index, c in enumerate(table.columns) if c.leads]
    for row, texts in zip(table.rows, cells, strict=False):
        colour = next((_colour(styles, texts[index]) for index, styles in leading), None)
        yield from line(texts, row, Style.parse(colour) if colour else None)
        for sentence in chain.from_iterable(row[index] or () for index in below):
            for piece in _filled(_words(visible(sentence), width - 2 * GAP), width - 2 * GAP):
                yield Segment(" " * 2 * GAP + piece, dim)
                yield Segment.line()
    if table.total:
        yield from ruled
        yield from line(cells[-1], style=bold)


def _colour(styles: Mapping[str, str], text: str) -> str | None:
    return next((style for word, style in styles.items() if text.startswith(word)), None)


def _fit(table: Table, natural: list[int], width: int) -> dict[int, int]:
    """The columns to show, by index, with their widths."""
    columns = table.columns
    # What is coloured is a word of few, and is read whole.
    texts = [i for i, c in enumerate(columns) if c.kind == "text" and not c.styles]
    beside = [i for i, column in enumerate(columns) if column.kind not in ("sentences", "ratio")]
    # A ratio stands behind the column that it is one of, with which it comes and goes.
    behind = {i - 1: i for i, column in enumerate(columns) if column.kind == "ratio"}

    def whole(chosen: list[int]) -> list[int]:
        return [j for i in chosen for j in (i, behind.get(i)) if j is not None]

    least, wanted = list(natural), list(natural)
    for index in texts:
        # The first column names the rows, and names that are cut much are all alike.
        shortest = max(SHORTEST_TEXT, width * 3 // 10) if index == 0 else SHORTEST_TEXT
        least[index] = min(natural[index], shortest)
        wanted[index] = min(natural[index], max(SHORTEST_TEXT, width * 2 // 5))
    drawn = _drawn(table)
    for index in drawn:
        least[index] = max(len(columns[index].label), SHORTEST_BAR + 1 + PERCENT)
        wanted[index] = least[index]

    def total(sizes: list[int], chosen: list[int]) -> int:
        shown = whole(chosen)
        return sum(sizes[index] for index in shown) + GAP * (len(shown) - 1)

    chosen = [i for i, column in enumerate(columns) if column.rank == 1 and i in beside]
    while len(chosen) > 1 and total(least, chosen) > width:
        # Too narrow even for these: drop from the right, first ratios, then what is neither a count
        # nor a word that is coloured, for which one looks at the table.
        if ratios := [i for i in chosen if i in behind]:
            del behind[ratios[-1]]
            continue
        extra = [i for i in chosen[1:] if columns[i].kind != "count" and not columns[i].styles]
        extra = extra or chosen[1:]
        chosen.remove(extra[-1])
    for index in sorted(beside, key=lambda i: columns[i].rank):
        if index not in chosen and columns[index].rank > 1:
            more = sorted([*chosen, index])
            if total(wanted, more) <= width:
                chosen = more
    sizes = {index: least[index] for index in whole(chosen)}
    spare = width - total(least, chosen)
    for index in (i for i in texts if i in sizes):
        given = max(0, min(spare, natural[index] - sizes[index]))
        sizes[index] += given
        spare -= given
    bars = [index for index in chosen if index in drawn]
    for number, index in enumerate(bars):
        room = min(spare // (len(bars) - number), LONGEST_BAR - SHORTEST_BAR)
        sizes[index] += max(0, room)
        spare -= max(0, room)
    return sizes


def _drawn(table: Table) -> list[int]:
    """The columns whose shares have bars: those in which none is below nothing or above all."""
    return [
        index
        for index, column in enumerate(table.columns)
        if column.kind == "share"
        and all(0 <= row[index] <= 1 for row in table.rows if row[index] is not None)
    ]


def _shortened(text: str, room: int, ascii_only: bool) -> str:
    """``text`` in ``room`` cells; its end is kept, where names differ."""
    if cell_len(text) <= room:
        return text
    mark = "..." if ascii_only else "…"
    front = back = ""
    half = (room - len(mark)) // 2
    for character in text:
        if cell_len(front + character) > half:
            break
        front += character
    for character in reversed(text):
        if cell_len(front + mark + back + character) > room:
            break
        back = character + back
    return front + mark + back


def _bar(value: float | None, length: int, ascii_only: bool) -> str:
    """A bar of ``length`` cells, filled to the share ``value``."""
    eighths = round((value or 0.0) * length * 8)
    if ascii_only:
        return ("#" * round(eighths / 8)).ljust(length)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).ljust(length)
