"""Verdicts as people and programs read them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.published.alike import appendix_alike
from archcost.published.claims import CLAIMS
from archcost.published.tables import select_tables
from archcost.published.verdicts import Verdict, judge, tallies
from archcost.report import Section, Table, render
from archcost.report import reproduction as report
from archcost.report.format import as_printed
from archcost.report.published import MISPRINTS, whole_document


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(table, cell) for table in select_tables(("simplenet",)) for cell in table.cells]


def test_a_table_for_each_printed_one(verdicts: list[Verdict]) -> None:
    tables = report.verdict_tables(verdicts)
    printed = select_tables(("simplenet",))
    assert [table.title.partition(":")[0] for table in tables] == [table.name for table in printed]
    assert [len(table.rows) for table in tables] == [len(table.cells) for table in printed]


def test_the_tally_adds_up(verdicts: list[Verdict]) -> None:
    table = report.tally_table(tallies(verdicts))
    assert table.total is not None
    assert table.total[1] == len(verdicts) == sum(table.total[2:])


def test_the_summary_is_of_the_verdicts(verdicts: list[Verdict]) -> None:
    document = whole_document(verdicts, tallies(verdicts), appendix_alike(verdicts))
    text = render(document, "markdown")
    appendix = [v for v in verdicts if v.table.name == "simplenet/appendix"]
    held = sum(v.kind == "match" for v in appendix)
    assert "Of the 88 cells of the appendix" in text
    assert f"{held} hold as printed" in text
    errata = [v for v in verdicts if v.kind == "erratum"]
    shown = [
        row
        for part in document.parts
        if isinstance(part, Table) and "in the SimpleNet paper" in part.title
        for row in part.rows
    ]
    assert len(shown) == len(errata)
    for part in document.parts:
        assert isinstance(part, Section | Table)


def test_without_the_paper_there_is_no_word_of_it() -> None:
    (table,) = select_tables(("mobilenet/4",))
    verdicts = [judge(table, cell) for cell in table.cells]
    document = whole_document(verdicts, tallies(verdicts), [])
    assert "SimpleNet" not in render(document, "markdown")


def test_misprints_are_claims() -> None:
    assert CLAIMS.keys() >= MISPRINTS


def test_claims_tell_of_themselves() -> None:
    table = report.claims_table(CLAIMS)
    assert [row[0] for row in table.rows] == list(CLAIMS)
    assert all(row[1][0].endswith(".") for row in table.rows)


@pytest.mark.parametrize(
    ("value", "printed", "shown"),
    [
        (Fraction(138), "138", "138"),
        (Fraction(138_357_544, 10**6), "138", "138.36"),
        (Fraction(5_493_258, 10**6), "5.4", "5.493"),
        (Fraction(12_345), "1", "12,345"),
        (Fraction(1, 3), "0.33", "0.3333"),
    ],
)
def test_a_computed_number_beside_a_printed_one(value: Fraction, printed: str, shown: str) -> None:
    assert as_printed(value, printed) == shown
