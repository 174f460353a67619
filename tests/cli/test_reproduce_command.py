"""``archcost reproduce``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import call

from archcost.cli.reproduce import VERDICTS
from archcost.published.tables import tables
from archcost.published.verdicts import KINDS

KEYS = [
    "table",
    "row",
    "column",
    "printed",
    "computed",
    "convention",
    "verdict",
    "claim",
    "explanation",
]


def reproduced(*arguments: str) -> list[dict]:
    return json.loads(call("reproduce", *arguments, "--format", "json").stdout)


def table(cell: dict[str, Any]) -> dict[str, Any]:
    """A document with one cell, of LeNet-5's parameters if it does not say otherwise."""
    keys = {"model": "lenet5", "quantity": "params"}
    rows = [{"row": "LeNet-5", "cells": {"Params": cell}}]
    tables = {"1": {"title": "A table", "all": keys, "columns": {"Params": None}, "rows": rows}}
    return {"source": "a paper", "tables": tables}


def test_the_verdicts_are_those_of_the_library() -> None:
    assert tuple(VERDICTS.values()) == KINDS


def test_json() -> None:
    cells = reproduced("mobilenet/4")
    for cell in cells:
        assert set(KEYS) <= set(cell)
        assert cell["table"] == "mobilenet/4"
        assert cell["verdict"] in KINDS
        assert (cell["claim"] is not None) == (cell["verdict"] == "erratum")
    (macs,) = [c for c in cells if c["row"] == "MobileNet" and c["printed"] == "569"]
    assert (macs["computed"], macs["verdict"]) == (568_740_352, "match")


def test_everything_has_a_verdict() -> None:
    cells = reproduced()
    assert len(cells) == sum(len(table.cells) for table in tables())


def test_status_is_1_only_where_a_cell_is_not_reproduced() -> None:
    failing = {cell["table"] for cell in reproduced() if cell["verdict"] == "not reproduced"}
    for name in ("mobilenet/4", "simplenet/appendix", *sorted(failing)[:1]):
        assert call("reproduce", name).exit_code == (name in failing)


def test_terminal() -> None:
    text = call("reproduce", "simplenet/appendix").stdout
    assert max(map(len, text.splitlines())) <= 80
    for said in ("SimpleNet", "652 M", "652.15", "erratum", "left out", "Verdicts"):
        assert said in text


def test_colours() -> None:
    result = call("reproduce", "simplenet/appendix", color=True, env={"FORCE_COLOR": "1"})
    assert "\x1b[32mmatch" in result.stdout
    assert "\x1b[33merratum" in result.stdout


def test_a_document_is_all_its_tables() -> None:
    names = {cell["table"] for cell in reproduced("mobilenet")}
    assert names == {t.name for t in tables() if t.name.startswith("mobilenet/")}
    both = {cell["table"] for cell in reproduced("mobilenet", "simplenet/1")}
    assert both == {*names, "simplenet/1"}


def test_only_some_verdicts() -> None:
    assert {c["verdict"] for c in reproduced("simplenet", "--verdict", "erratum")} == {"erratum"}


def test_summary() -> None:
    rows = json.loads(
        call("reproduce", "simplenet/appendix", "--summary", "--format", "json").stdout
    )
    assert rows[0]["table"] == "simplenet/appendix"
    assert rows[0]["cells"] == 88


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(call("reproduce", "vgg", "--format", "csv").stdout)))
    assert list(rows[0]) == KEYS


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "paper.yaml: "),
        ({"source": "a paper", "tables": {"1": {"title": "A table"}}}, "paper.yaml: "),
        (table({"model": "lenet5"}), "paper.yaml: row 'LeNet-5', column 'Params': 'printed' is "),
        (table({"printed": "6", "digits": 0}), "paper.yaml: row 'LeNet-5', column 'Params': digi"),
        (table({"printed": "6", "model": "lenet9"}), "paper/1, row 'LeNet-5', column 'Params': no"),
        (table({"printed": "6", "layer": "C7"}), "paper/1, row 'LeNet-5', column 'Params': lenet5"),
        (table({"printed": "6", "times": "x"}), "paper/1, row 'LeNet-5', column 'Params': "),
        (table({"printed": "6", "erratum": {"claim": "x"}}), "column 'Params': no claim 'x'"),
        (table({"printed": "6", "counted": {"convention": "x"}}), "no convention 'x'"),
    ],
)
def test_a_broken_document_is_one_message(
    document: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "archcost.published.tables.documents", lambda folder: [(Path("paper.yaml"), document)]
    )
    tables.cache_clear()
    try:
        refused = call("reproduce")
    finally:
        tables.cache_clear()
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simplenet/apendix",), "did you mean 'simplenet/appendix'"),
        (("mobilnet",), "did you mean 'mobilenet'"),
        (("--verdict", "eratum"), "did you mean 'erratum'"),
        (("-o", "x.tex"), "this writes"),
        (("mobilenet", "--claims"), "--claims stands alone"),
        (("--summary", "--verdict", "match"), "--summary counts the cells of every verdict"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], said: str) -> None:
    refused = call("reproduce", *arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
