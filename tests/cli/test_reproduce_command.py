"""``archcost reproduce``."""

from __future__ import annotations

import csv
import io
import json

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
    ("arguments", "said"),
    [
        (("simplenet/apendix",), "did you mean 'simplenet/appendix'"),
        (("mobilnet",), "did you mean 'mobilenet'"),
        (("--verdict", "eratum"), "did you mean 'erratum'"),
        (("-o", "x.tex"), "this writes"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], said: str) -> None:
    refused = call("reproduce", *arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
