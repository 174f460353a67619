"""What ``archcost speeds`` shows."""

from __future__ import annotations

import json

import pytest

from archcost.published.speeds import speed_source
from archcost.report import render
from archcost.report.json import dump
from archcost.report.speeds import (
    ERROR_COLUMNS,
    GROUPINGS,
    groups_table,
    passes_table,
    speeds_data,
    speeds_document,
)
from archcost.report.table import Section, Table
from archcost.validation.published import PublishedValidation, judged_speeds

SOURCES = (speed_source("tflite"), speed_source("ncnn"))


@pytest.fixture(scope="module")
def found() -> PublishedValidation:
    """All passes of two sources, one of them also on a device that there is not."""
    speeds = [speed for source in SOURCES for speed in source.speeds]
    unknown = speeds[0]._replace(run=speeds[0].run._replace(device="abacus"))
    return PublishedValidation(tuple(judged_speeds([*speeds, unknown])))


@pytest.mark.parametrize("by", GROUPINGS)
def test_groups_have_every_pass_once(found: PublishedValidation, by: str) -> None:
    table = groups_table(found, by)
    passes = [column.key for column in table.columns].index("passes")
    number = sum(row[passes] for row in table.rows)
    assert number == len(found.estimated)
    if table.total:
        assert table.total[passes] == number
    assert table.columns[-len(ERROR_COLUMNS) :] == ERROR_COLUMNS


def test_passes(found: PublishedValidation) -> None:
    table = passes_table(found)
    keys = [column.key for column in table.columns]
    assert len(table.rows) == len(found.judged)
    for row in (dict(zip(keys, cells, strict=True)) for cells in table.rows):
        if row["estimated_seconds"] is not None:
            error = row["estimated_seconds"] / row["measured_seconds"] - 1
            assert row["error"] == pytest.approx(error)


def test_a_signed_error_is_written_with_its_sign(found: PublishedValidation) -> None:
    text = render(passes_table(found), "markdown")
    errors = [one.error for one in found.judged if one.error is not None]
    assert min(errors) < 0
    for error in errors:
        assert f"{100 * error:+.1f} %" in text


def test_the_document(found: PublishedValidation) -> None:
    document = speeds_document(found, SOURCES)
    headings = [
        part.heading if isinstance(part, Section) else part.title for part in document.parts
    ]
    assert headings == [
        "What this is",
        "Errors by device",
        "Errors by source",
        "Errors by run",
        "Errors by family",
        "Errors by what the estimate says holds up the pass",
        "The largest errors",
        "Without an estimate",
        *(source.title for source in SOURCES),
    ]
    text = render(document, "markdown")
    assert "24 of 24 numbers are archcost's own" in text
    for source in SOURCES:
        assert source.url.removeprefix("https://") in text
        assert all(name in text for name in source.left_out)
    missing = next(p for p in document.parts if p_title(p) == "Without an estimate")
    assert isinstance(missing, Table)
    assert sum(row[2] for row in missing.rows) == len(found.judged) - len(found.estimated)


def p_title(part: Section | Table) -> str:
    return part.heading if isinstance(part, Section) else part.title


def test_data(found: PublishedValidation) -> None:
    data = json.loads(dump(speeds_data(found, SOURCES, version="1.2.3")))
    assert data["schema"] == "archcost.published-speeds/1"
    assert data["archcost"] == "1.2.3"
    assert len(data["passes"]) == len(found.judged)
    errors = found.errors()
    assert errors is not None
    assert data["errors"]["mean_absolute_error"] == errors.mean_absolute
    assert {one["device"] for one in data["accuracy"]} == {
        *("snapdragon-845", "snapdragon-855", "raspberry-pi-4"),
    }
    assert all(s["agrees"] for source in data["sources"] for s in source["statements"])
