"""Conventions as people read them, and the kinds of columns that they brought."""

from __future__ import annotations

import io

import archcost
from archcost.conventions import CONVENTIONS, convention
from archcost.report import Column, Document, Section, Table, render
from archcost.report import conventions as report

GRAPH = archcost.load("mobilenet-v1")
COUNTS = [convention(name).count(GRAPH) for name in CONVENTIONS]
SENTENCES = Table(
    "A table",
    (
        Column("name", "Name", "text"),
        Column("state", "State", "text", 1, {"good": "green", "bad": "red"}),
        Column("change", "Change", "change"),
        Column("why", "Why", "sentences"),
    ),
    (
        ("one", "good", 1_500_000, ("A first | sentence.", "A second.")),
        ("two", "bad", -2, ()),
        ("three", "neither", None, ("=1+1",)),
    ),
)


def test_rows_have_the_differences() -> None:
    table = report.conventions_table(GRAPH, COUNTS)
    base = convention("mult-adds").count(GRAPH).main
    for row, counted in zip(table.rows, COUNTS, strict=True):
        assert row[2] == counted.main
        assert row[3] is None or row[3] == counted.main - base
        for reason in counted.reasons:
            assert any(sentence.endswith(reason.why) for sentence in row[5])


def test_document_has_the_numbers_as_they_are() -> None:
    document = report.conventions_document(GRAPH, COUNTS)
    assert list(document["conventions"]) == list(CONVENTIONS)
    assert "checks" not in document


def test_about() -> None:
    all_ = [convention(name) for name in CONVENTIONS]
    text = report.about_markdown(all_)
    for entry in report.about_document(all_):
        assert f"### `{entry['name']}`" in text
        assert entry["read"] in text
    assert "``" not in text


def test_sentences_stand_below_their_row_in_a_terminal() -> None:
    lines = render(SENTENCES, "table", width=60).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("one"))
    assert lines[at].split() == ["one", "good", "+1.50", "M"]
    assert lines[at + 1 : at + 3] == ["    A first | sentence.", "    A second."]
    assert lines[at + 3].split() == ["two", "bad", "-2"]


def test_sentences_are_a_column_elsewhere() -> None:
    assert r"| A first \| sentence.; A second. |" in render(SENTENCES, "markdown")
    assert "+1,500,000" in render(SENTENCES, "markdown")
    rows = render(SENTENCES, "csv").splitlines()
    assert rows[1] == "one,good,1500000,A first | sentence.; A second."
    assert rows[3] == "three,neither,,'=1+1"
    assert "A first" in render(SENTENCES, "latex")


def test_words_have_their_colours() -> None:
    from rich.console import Console

    from archcost.report.terminal import TableView

    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard", width=60).print(
        TableView(SENTENCES)
    )
    assert "\x1b[32mgood\x1b[0m" in file.getvalue()
    assert "\x1b[31mbad\x1b[0m" in file.getvalue()
    assert "mneither" not in file.getvalue()


def test_every_digit_of_an_integer_is_shown() -> None:
    table = Table("", (Column("counted", "Counted", "integer"),), ((3_879_247_872,),))
    for style in ("table", "markdown", "latex"):
        assert "3,879,247,872" in render(table, style)
    assert render(table, "csv").splitlines() == ["counted", "3879247872"]


def test_a_line_does_not_end_between_a_number_and_its_unit() -> None:
    document = Document("", (Section("A part", ("activations 46.87 M, size 12.5 MiB in all",)),))
    lines = render(document, "table", width=17).splitlines()
    assert lines == ["A part", "", "activations", "46.87 M, size", "12.5 MiB in all"]


def test_a_page_has_no_lines_of_its_own() -> None:
    text = render(report.about_pages([convention("netscope-2016")]), "table", width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "\n\n- pooling: whole windows" in text
    assert "\\n" not in text
    assert "``" not in text


def test_a_narrow_terminal_keeps_the_coloured_word() -> None:
    first = render(SENTENCES, "table", width=26).splitlines()
    assert any(line.split()[:2] == ["one", "good"] for line in first)


def test_documents() -> None:
    document = Document("All *of* it", (Section("A part", ("One [text].", "Two.")), SENTENCES))
    markdown = render(document, "markdown")
    assert markdown.startswith(
        "# All \\*of\\* it\n\n## A part\n\nOne \\[text\\].\n\nTwo.\n\n## A table"
    )
    text = render(document, "table", width=60)
    assert text.startswith("All *of* it\n\nA part\n\nOne [text].\n\nTwo.\n\nA table\n")
