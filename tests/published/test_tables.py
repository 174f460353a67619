"""The published tables: all that their data says of each cell is so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from archcost.published import tables as loader
from archcost.published.claims import CLAIMS
from archcost.published.files import PublishedError
from archcost.published.tables import PrintedTable, UnknownTableError, select_tables, tables
from archcost.published.verdicts import judge, verdicts
from archcost.sources import UnknownModelError

TABLES = tables()
SOURCE_TEXTS = [
    "simplenet/1",
    "simplenet/2",
    "simplenet/5",
    "simplenet/6",
    "simplenet/cifar10",
    "simplenet/appendix",
    "simplenet/text",
    "culurciello/bottleneck",
    "culurciello/text",
    "slides/text",
    "slides/5x5",
    "slides/factorization",
    "slides/grid-size",
    "slides/depthwise",
    "distillation/1",
    "distillation/2",
    "distillation/3",
    "distillation/4",
    "fastnet/comparisons",
    "vgg/1",
    "vgg/2",
    "googlenet/1",
    "resnet/1",
    "resnet/6",
    *(f"mobilenet/{number}" for number in (4, 5, 6, 7, 8, 9, 10)),
    *(f"simpnet/{number}" for number in ("II", "III", "IV", "V", "VI", "VII", "VIII", "XV", "S3")),
]
"""what the project's five source texts print, or quote of other papers"""


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_said_of_each_cell_is_so(table: PrintedTable) -> None:
    """Every cell is judged; a claim holds, and none outlives its reason."""
    problems = {
        (cell.row, cell.column, cell.printed.text): verdict.problem
        for cell in table.cells
        if (verdict := judge(table, cell)).problem
    }
    assert problems == {}


def test_there_are_hundreds_and_nearly_all_are_explained() -> None:
    found = Counter(verdict.kind for verdict in verdicts(TABLES))
    assert found.total() >= 300
    assert found["not reproduced"] <= found.total() / 20


def test_the_appendix_of_the_simplenet_paper() -> None:
    found = Counter(v.kind for v in verdicts(select_tables(("simplenet/appendix",))))
    assert found.total() == 88
    assert found["match"] + found["erratum"] >= 80


@pytest.mark.parametrize("name", SOURCE_TEXTS)
def test_the_source_texts_are_there(name: str) -> None:
    (table,) = select_tables((name,))
    assert table.cells


def test_names_are_unique() -> None:
    names = [table.name for table in TABLES]
    assert len(set(names)) == len(names)
    assert all(name.count("/") == 1 for name in names)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_well_formed(table: PrintedTable) -> None:
    assert table.cells
    assert table.title
    assert len(table.source) > 10
    for cell in table.cells:
        assert (cell.erratum or {"claim": "unit"})["claim"] in CLAIMS
        assert cell.tried is None or len(cell.tried) > 20, "what was tried?"


def test_one_is_selected_by_its_name_or_its_document_s() -> None:
    assert [table.name for table in select_tables(("lenet/11",))] == ["lenet/11"]
    of_two = select_tables(("wrn", "lenet/II.B", "wrn/4"))
    assert [table.name for table in of_two] == [
        table.name for table in TABLES if table.name.startswith(("wrn/", "lenet/II.B"))
    ]
    assert select_tables() == TABLES
    for name, near in (("lenet/13", "lenet/1"), ("lenett", "lenet"), ("lene", "lenet")):
        with pytest.raises(UnknownTableError, match=near):
            select_tables((name,))


def test_cells_of_a_network_are_found_by_any_of_its_names() -> None:
    places = {(table.name, cell.row) for table, cell in loader.cells_of("LeNet")}
    assert ("lenet/II.B", "C3") in places
    assert places == {(table.name, cell.row) for table, cell in loader.cells_of("lenet-5")}
    with pytest.raises(UnknownModelError):
        list(loader.cells_of("lenet-6"))


DOCUMENT = """
source: a paper
tables:
  "1":
    title: A table
    where: Table 1
    notes: [A footnote]
    all: {model: lenet5}
    columns:
      Params: {quantity: params, unit: k}
      MACs: {quantity: macs}
    rows:
      - {row: LeNet-5, cells: {Params: "60", MACs: {printed: "0.3M", note: Roughly}}}
      - {row: WRN, model: wrn-28-10, set: {depth: 16}, cells: {Params: {printed: "1", set: {k: 2}}}}
"""


def load(monkeypatch: pytest.MonkeyPatch, document: Any) -> tuple[PrintedTable, ...]:
    monkeypatch.setattr(loader, "documents", lambda _: [(Path("paper.yaml"), document)])
    return tables.__wrapped__()


def test_a_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (table,) = load(monkeypatch, yaml.safe_load(DOCUMENT))
    assert (table.name, table.title, table.source) == ("paper/1", "A table", "a paper, Table 1")
    assert (table.rows, table.columns) == (("LeNet-5", "WRN"), ("Params", "MACs"))
    assert table.notes == ("A footnote",)
    assert table.cell("LeNet-5", "Params").printed.value == 60_000
    assert table.cell("LeNet-5", "MACs").measure.model == "lenet5"
    assert table.cell("LeNet-5", "MACs").note == "Roughly"
    wide = table.cell("WRN", "Params").measure
    assert (wide.model, wide.settings) == ("wrn-28-10", {"depth": 16, "k": 2})
    with pytest.raises(PublishedError, match="'WRN', 'MACs'"):
        table.cell("WRN", "MACs")


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "unknown key colour"),
    ({"unit": "furlong"}, "no unit 'furlong'"),
    ({"printed": "many"}, "no number in 'many'"),
    ({"digits": 0}, "digits 0 is no number of digits"),
    ({"digits": float("nan")}, "'float' object cannot be interpreted as an integer"),
    ({"without": 3}, "'int' object is not iterable"),
    ({"counted": {"model": "lenet1"}}, "counted takes convention and quantity"),
    ({"counted": {}, "tried": "All."}, "more than one of counted, erratum and tried"),
    ({"erratum": {"claim": "unit"}, "tried": "All."}, "more than one of"),
    ({"counted": {}, "erratum": {"claim": "unit"}}, "more than one of"),
    ({"set": {"k": 2}, "input": 3}, "int"),
]


@pytest.mark.parametrize(("keys", "message"), BROKEN)
def test_a_broken_cell_is_named(
    monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], message: str
) -> None:
    document = yaml.safe_load(DOCUMENT)
    document["tables"]["1"]["rows"][0]["cells"]["MACs"] |= keys
    with pytest.raises(PublishedError) as caught:
        load(monkeypatch, document)
    assert str(caught.value).startswith("paper.yaml: row 'LeNet-5', column 'MACs': ")
    assert message in str(caught.value)


def test_an_unknown_column_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(DOCUMENT)
    document["tables"]["1"]["rows"][1]["cells"]["FLOPs"] = "1"
    with pytest.raises(PublishedError, match=r"paper.yaml: row 'WRN', column 'FLOPs'"):
        load(monkeypatch, document)


def test_two_cells_in_one_place_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(DOCUMENT)
    document["tables"]["1"]["rows"][1]["row"] = "LeNet-5"
    with pytest.raises(PublishedError, match=r"paper.yaml: two cells in row 'LeNet-5', column 'P"):
        load(monkeypatch, document)


@pytest.mark.parametrize("missing", ["model", "quantity", "printed"])
def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    document = yaml.safe_load(DOCUMENT)
    table = document["tables"]["1"]
    for keys in (table["all"], table["columns"]["MACs"], table["rows"][0]["cells"]["MACs"]):
        keys.pop(missing, None)
    with pytest.raises(PublishedError, match=rf"paper.yaml: row .*, column .*: .*{missing}"):
        load(monkeypatch, document)


@pytest.mark.parametrize("document", [None, [], {}, {"source": "a paper", "tables": {"1": {}}}])
def test_what_is_no_document_is_named(monkeypatch: pytest.MonkeyPatch, document: Any) -> None:
    with pytest.raises(PublishedError, match="paper.yaml"):
        load(monkeypatch, document)
