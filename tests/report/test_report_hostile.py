"""No format lets a hostile name do anything, and each shows it as what it is."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import hostile
import jsonschema
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from archcost.report import FORMATS, Column, Document, Section, Table, render
from archcost.report import html as html_format
from archcost.report import json as json_format
from archcost.report.csv import FORMULA
from archcost.report.format import visible
from archcost.report.terminal import ReportView


@pytest.fixture(scope="module", params=hostile.STRINGS)
def bad(request):
    """A name and the report of a network that has no other."""
    name = hostile.STRINGS[request.param]
    return name, hostile.report(name)


def document(name):
    """A table and sentences that say nothing but ``name``."""
    columns = (Column("name", "Name", "text"), Column("why", "Why", "sentences"))
    table = Table(name, columns, ((name, (name, name)),), notes=(name,))
    return Document(name, (Section(name, (name,)), table))


@pytest.mark.parametrize("style", FORMATS)
def test_nothing_controls_the_terminal(bad, style):
    assert hostile.harmless(render(bad[1], style))


@pytest.mark.parametrize("width", [80, 300])
def test_terminal(bad, width):
    name, made = bad
    shown = " ".join(visible(name).split())
    text = render(made, "table", width=width)
    assert hostile.harmless(text)
    assert "".join(shown.split()) in "".join(text.split())  # however it is broken into lines
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system="standard")
    console.print(ReportView(made))
    own = re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())
    assert hostile.harmless(own)
    # What rich itself writes is colour and weight, never what a name asks for.
    assert set(re.findall(r"\x1b[^m]*m", file.getvalue())) <= {
        f"\x1b[{code}m" for code in ("0", "1", "2", "36", "1;36")
    }


# --- CSV ----------------------------------------------------------------------------------------


def test_csv(bad):
    name, made = bad
    rows = list(csv.reader(io.StringIO(render(made, "csv"))))[1:]
    assert len(rows) == len(made.table.rows)
    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(FORMULA) for cell in cells)
    assert rows[0][0].startswith("'") == name.startswith(("'", *FORMULA))
    for row, raw in zip(rows, made.table.rows, strict=True):
        assert row[0].replace("'", "") == visible(raw[0]).replace("'", "")


def test_csv_where_a_semicolon_divides_cells(bad):
    """A spreadsheet that divides a line at its semicolons finds no formula either."""
    for row in csv.reader(io.StringIO(render(bad[1], "csv")), delimiter=";"):
        assert not any(cell.lstrip('"').startswith(FORMULA) for cell in row)


def test_csv_keeps_negative_numbers_and_sentences():
    columns = (
        Column("name", "Name", "text"),
        Column("by", "By", "change"),
        Column("why", "Why", "sentences"),
    )
    rows = (("-1", -1, ("+1 M: a", "-2 M: b")), ("a;-b", -2, ()), ("a - b; c", None, None))
    text = render(Table("", columns, rows), "csv")
    assert text == "name,by,why\n'-1,-1,'+1 M: a; -2 M: b\na;'-b,-2,\na - b; c,,\n"


# --- Markdown -----------------------------------------------------------------------------------

READERS = {
    "tables": lambda: MarkdownIt("commonmark").enable(["table", "strikethrough"]),
    "all": lambda: MarkdownIt("js-default"),
}
PLAIN = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text"),
    *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
    *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close", "text_special"),
}
LISTED = {
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    *("strong_open", "strong_close"),  # the facts' labels
}


def tokens(text, reader):
    """All tokens of a Markdown text, those of lines too."""
    for token in READERS[reader]().parse(text):
        yield token
        yield from token.children or ()


@pytest.mark.parametrize("reader", READERS)
def test_markdown_has_no_markup_of_a_name(bad, reader):
    name, made = bad
    assert {token.type for token in tokens(render(document(name), "markdown"), reader)} <= PLAIN
    found = [token.type for token in tokens(render(made, "markdown"), reader)]
    assert {*found} <= PLAIN | LISTED
    bold = re.findall(r"^- \*\*[A-Z][A-Za-z ]+:\*\*", render(made, "markdown"), re.MULTILINE)
    assert found.count("strong_open") == len(bold)


def test_markdown_shows_the_name(bad):
    name, _ = bad
    found = list(tokens(render(document(name), "markdown"), "tables"))
    lines = ["".join(c.content for c in t.children) for t in found if t.type == "inline"]
    shown = visible(name).strip()
    if shown:
        cells = ["Name", "Why", shown, f"{visible(name)}; {visible(name)}".strip()]
        assert lines == [shown, shown, shown, shown, *cells, shown]


@pytest.mark.parametrize("mark", ["://", "www."])
def test_markdown_makes_no_link_of_an_address(bad, mark):
    """GitHub makes links of addresses without brackets."""
    assert mark not in render(bad[1], "markdown")


# --- LaTeX --------------------------------------------------------------------------------------


def test_latex(bad):
    _, made = bad
    text = render(made, "latex")
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    row = body.splitlines()[1]
    assert row.endswith(r" \\")
    commands = set(re.findall(r"\\([a-zA-Z]+)", text))
    assert commands <= {
        *("usepackage", "begin", "end", "centering", "caption", "toprule", "midrule"),
        *("bottomrule", "par", "smallskip", "footnotesize"),
        *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater"),
        *("textbar", "textquotedbl", "textasciigrave"),
    }
    cell = re.sub(r"\\text[a-z]+\{\}|\\[{}$&#%_]|-\{\}|\{[\[\]*]\}", "", row.split(" & ")[0])
    assert not re.search(r"[\\{}$&#%_^~<>|\"\[\]*]", cell)


def test_latex_groups_end_where_they_begin(bad):
    depth = 0
    for brace in re.findall(r"(?<!\\)(?:\\\\)*([{}])", render(bad[1], "latex")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


# --- HTML, JSON ---------------------------------------------------------------------------------


class Elements(HTMLParser):
    """The elements and attributes of a page, and the texts of its cells."""

    def __init__(self):
        super().__init__()
        self.found, self.cells = set(), []

    def handle_starttag(self, tag, attributes):
        self.found |= {tag, *(f"@{name}" for name, _ in attributes)}
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and self.lasttag in ("td", "th") and data != "\n":
            self.cells[-1] += data


def test_html(bad):
    name, made = bad
    parser = Elements()
    parser.feed(html_format.report_text(made))
    assert parser.found <= {
        *("div", "h3", "p", "br", "table", "thead", "tbody", "tfoot", "tr", "th", "td"),
        *("dl", "dt", "dd", "@style"),
    }
    assert visible(name) in parser.cells


def test_json(bad):
    name, made = bad
    document = json.loads(render(made, "json"))
    jsonschema.validate(document, json_format.schema())
    assert document["layers"][0]["name"] == document["model"]["title"] == name
