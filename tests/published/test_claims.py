"""Claims about printed numbers: each holds where it is so, and does not where it is not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from archcost.published import claims
from archcost.published.claims import CLAIMS, Finding
from archcost.published.files import PublishedError
from archcost.published.measure import Measure
from archcost.published.printed import Printed
from archcost.published.tables import Cell, PrintedTable

ROWS = {"LeNet-1": "lenet1", "LeNet-4": "lenet4", "LeNet-5": "lenet5"}
COLUMNS = {"parameters": "params", "connections": "connections", "depth": "depth"}
# What archcost counts; the cell that a case is about takes the place of its own.
PRINTED = {
    ("LeNet-1", "parameters"): "2,578",
    ("LeNet-1", "connections"): "98,442",
    ("LeNet-1", "depth"): "3",
    ("LeNet-4", "parameters"): "50,698",
    ("LeNet-4", "connections"): "262,306",
    ("LeNet-5", "parameters"): "60,000",
    ("LeNet-5", "connections"): "340,908",
    ("LeNet-5", "depth"): "4",
}


@dataclass(frozen=True)
class Claimed:
    """A claim about the cell of LeNet-5's parameters, 60,000, if nothing else is said.

    Cells that are ``printed_elsewhere`` in the column make the same claim.
    """

    claim: str
    printed: str
    arguments: dict[str, Any] = field(default_factory=dict)
    row: str = "LeNet-5"
    column: str = "parameters"
    measured: dict[str, Any] = field(default_factory=dict)
    printed_elsewhere: dict[tuple[str, str], str] = field(default_factory=dict)

    def finding(self) -> Finding:
        texts = PRINTED | self.printed_elsewhere | {(self.row, self.column): self.printed}
        cells = {
            place: Cell(*place, Printed(text), Measure(ROWS[place[0]], COLUMNS[place[1]]))
            for place, text in texts.items()
        }
        erratum = {"claim": self.claim, **self.arguments}
        for place in self.printed_elsewhere:
            cells[place] = replace(cells[place], erratum=erratum)
        here = cells[self.row, self.column]
        cell = replace(here, measure=here.measure.changed(self.measured), erratum=erratum)
        cells[self.row, self.column] = cell
        order = sorted(cells, key=lambda place: place[0])
        table = PrintedTable("paper/1", "LeNets", "a paper", tuple(cells[at] for at in order))
        return claims.tested(table, cell)


def connections(claim: str, printed: str, /, **arguments: Any) -> Claimed:
    """About LeNet-5's connections, 340,908."""
    return Claimed(claim, printed, arguments, column="connections")


def of(
    model: str, claim: str, printed: str, quantity: str = "params", /, **arguments: Any
) -> Claimed:
    """About any other network."""
    return Claimed(claim, printed, arguments, measured={"model": model, "quantity": quantity})


def depth(model: str, claim: str, printed: str, /, **arguments: Any) -> Claimed:
    return of(model, claim, printed, "depth", **arguments)


DOWN = {"rows": ["LeNet-1", "LeNet-4", "LeNet-5"]}
SHIFTED = {("LeNet-1", "parameters"): "50,698", ("LeNet-4", "parameters"): "60,000"}
LAYERS = ["C1", "S2", "C3", "S4", "C5", "F6", "OUTPUT"]

MAXOUT = {"table": "allcnn/4", "row": "Maxout", "column": "# parameters"}

HOLDS = [
    connections("swapped digits", "430,908", meant="340,908"),
    connections("swapped digits", "3.04 M", meant="0.34"),
    connections("wrong digit", "341,908", meant="340,908"),
    connections("wrong digit", "0.741M", meant="0.341"),
    connections("extra digit", "3440,908", meant="340,908"),
    connections("extra digit", "0.334M", meant="0.34"),
    connections("factor", "34,090.8", by="10"),
    connections("factor", "3.4M", by="0.1"),
    Claimed("unit", "238 kB", {"unit": "KiB"}, measured={"quantity": "storage_bytes"}),
    of("lenet5", "file size", "245KB", "storage_bytes", bytes=2_000),
    of("lenet5", "file size", "243KB", "storage_bytes", bytes=2_000),
    Claimed("other row", "50,698", {"row": "LeNet-4"}),
    Claimed("other row", "507K", {"row": "LeNet-4", "by": "0.1"}),
    Claimed("shifted row", "2,578", DOWN, printed_elsewhere=SHIFTED),
    Claimed("shifted row", "258", {**DOWN, "by": "10"}, printed_elsewhere=SHIFTED),
    Claimed(
        "shifted row",
        "60,000",
        {"rows": ["LeNet-5", "LeNet-4"]},
        row="LeNet-4",
        printed_elsewhere={("LeNet-5", "parameters"): "50,698"},
    ),
    Claimed("other column", "340,908", {"column": "connections"}),
    Claimed("other network", "2,578", {"model": "lenet1"}),
    Claimed("other network", "48,120", {"model": "lenet5", "layer": "C5"}),
    of("perceptron", "other version", "238,510", set={"units": [300, 10]}),
    of("lenet1", "classes", "4,508", classes=20),
    of("perceptron", "input size", "4,010", input=[400]),
    of("dsn-mnist", "auxiliary heads", "2.9M", model="dsn-mnist-training"),
    of("alexnet", "without grouping", "62,378,344"),
    connections("batch", "3.41M", images=10),
    Claimed("left out", "59,956", {"kinds": ["scale_shift"]}),
    Claimed("part", "48,120", {"layer": "C5"}),
    Claimed("part", "49,792", {"only": {"op": "conv"}}),
    of("lenet5", "flops as mult-adds", "651,360", "macs"),
    connections("coarse", "341,000", digits=3),
    connections("coarse", "0.30M", digits=1),
    connections("rounded up", "0.35M"),
    of("lenet5", "sum", "401K", "connections", parts=[{}, {"quantity": "params"}]),
    Claimed("from printed numbers", "152,094", {"cell": ["LeNet-4", "parameters"], "times": 3}),
    Claimed(
        "from printed numbers",
        "19.7",
        {"cell": ["LeNet-4", "parameters"], "over": ["LeNet-1", "parameters"]},
    ),
    of("lenet5", "budget", "350K", "connections"),
    of("lenet5", "budget", "340,908", "connections"),
    depth("lenet1", "hidden layers", "2"),
    depth("highway-fc-10", "hidden layers", "10-layer"),
    depth("lenet5", "layers", "7", counted=LAYERS),
    # Of its seven layers 60,000, and 60,000 of all.
    Claimed("printed sum", "120,000", {"table": "lenet/II.B", "column": "trainable parameters"}),
    # The All-CNN paper prints > 6 M for Maxout.
    of("maxout-cifar10", "quoted bound", "6M", **MAXOUT),
]

FAILS = [
    connections("swapped digits", "430,908", meant="430,809"),
    connections("swapped digits", "340,908", meant="340,908"),
    connections("swapped digits", "904,308", meant="340,908"),
    connections("wrong digit", "341,909", meant="340,908"),
    connections("wrong digit", "341,908", meant="342,908"),
    connections("wrong digit", "3400,908", meant="340,908"),
    connections("wrong digit", "0.74M", meant="0.34"),
    connections("extra digit", "3440,980", meant="340,908"),
    connections("extra digit", "340,908", meant="340,908"),
    connections("factor", "34,090.8", by="100"),
    Claimed("unit", "238 kB", {"unit": "MB"}, measured={"quantity": "storage_bytes"}),
    of("lenet5", "file size", "246KB", "storage_bytes", bytes=2_000),
    of("lenet5", "file size", "242KB", "storage_bytes", bytes=2_000),
    of("lenet5", "file size", "245KB", "storage_bytes", bytes=20_000),
    Claimed("other row", "50,698", {"row": "LeNet-1"}),
    Claimed("other row", "507K", {"row": "LeNet-4"}),
    Claimed("shifted row", "2,577", DOWN, printed_elsewhere=SHIFTED),
    Claimed("shifted row", "2,578", DOWN),
    Claimed(
        "shifted row",
        "2,578",
        {"rows": ["LeNet-1", "LeNet-5"]},
        printed_elsewhere={("LeNet-1", "parameters"): "60,000"},
    ),
    Claimed("other column", "340,909", {"column": "connections"}),
    Claimed("other network", "2,578", {"model": "lenet4"}),
    of("perceptron", "other version", "238,510", set={"units": [300, 11]}),
    of("lenet1", "classes", "4,508", classes=21),
    of("perceptron", "input size", "4,010", input=[256]),
    of("dsn-mnist", "auxiliary heads", "957,386", model="dsn-mnist"),
    of("dsn-mnist", "auxiliary heads", "2.8M", model="dsn-mnist-training"),
    of("alexnet", "without grouping", "60,965,224.5"),
    connections("batch", "3.41M", images=11),
    connections("batch", "341K", images=10),
    Claimed("batch", "600,000", {"images": 10}),
    Claimed("left out", "59,955", {"kinds": ["scale_shift"]}),
    Claimed("part", "48,120", {"layer": "C3"}),
    of("lenet5", "flops as mult-adds", "325,680", "macs"),
    Claimed("flops as mult-adds", "120,000"),
    connections("coarse", "341,000", digits=4),
    connections("coarse", "0.34M", digits=2),
    connections("coarse", "0.300M", digits=1),
    of("lenet1", "coarse", "90K", "connections", digits=1),  # which is not rounded
    connections("rounded up", "0.36M"),
    connections("rounded up", "0.34M"),
    of("lenet5", "sum", "402K", "connections", parts=[{}, {"quantity": "params"}]),
    Claimed("from printed numbers", "152,094", {"cell": ["LeNet-4", "parameters"], "times": 2}),
    Claimed(
        "from printed numbers",
        "19.7",
        {"cell": ["LeNet-4", "parameters"], "over": ["LeNet-1", "parameters"]},
        printed_elsewhere={("LeNet-4", "parameters"): "17,000"},
    ),
    Claimed(
        "from printed numbers",
        "0.515",
        {"cell": ["LeNet-4", "parameters"], "over": ["LeNet-1", "connections"]},
    ),
    of("lenet5", "budget", "340,000", "connections"),
    of("lenet5", "budget", "400K", "connections"),
    depth("lenet1", "hidden layers", "1"),
    depth("resnet20", "hidden layers", "20"),
    of("lenet1", "hidden layers", "2,577"),
    depth("fmp-mnist", "hidden layers", "1"),
    depth("lenet5", "layers", "7", counted=LAYERS[:-1]),
    Claimed("layers", "7", {"counted": LAYERS}),
    Claimed("printed sum", "120,000", {"table": "lenet/II.B", "column": "connections"}),
    of("maxout-cifar10", "quoted bound", "7M", **MAXOUT),
    Claimed("quoted bound", "6M", MAXOUT),  # 60,000 are not more than 6 M
    of("maxout-cifar10", "quoted bound", "1 M", **{**MAXOUT, "row": "NIN"}),  # no bound
]


def _label(case: Claimed) -> str:
    return f"{case.claim}: {case.printed}"


@pytest.mark.parametrize("case", HOLDS, ids=_label)
def test_it_holds(case: Claimed) -> None:
    finding = case.finding()
    assert finding.holds, finding
    assert finding.says
    assert "\n" not in finding.says


@pytest.mark.parametrize("case", FAILS, ids=_label)
def test_it_does_not_hold(case: Claimed) -> None:
    assert not case.finding().holds, case.finding()


def test_every_claim_is_tested_both_ways() -> None:
    assert {case.claim for case in HOLDS} == CLAIMS.keys()
    assert {case.claim for case in FAILS} == CLAIMS.keys()


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_says_what_it_is(name: str) -> None:
    assert (CLAIMS[name].__doc__ or "").strip().endswith(".")


def test_what_is_given_is_presupposed() -> None:
    """A convention first, then the claim on what it counts."""
    both = Claimed("classes", "784,000", {"classes": 1000, "given": {"convention": "weights"}})
    assert not both.finding().holds
    of_weights = of("perceptron", "other version", "238,200", set={"units": [300, 10]})
    assert not of_weights.finding().holds
    of_weights.arguments["given"] = {"convention": "weights"}
    assert of_weights.finding().holds


def test_the_number_behind_it_is_archcost_s_own() -> None:
    assert of("lenet1", "classes", "4,508", classes=20).finding().value == 4_508
    assert connections("wrong digit", "341,908", meant="340,908").finding().value == 340_908


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (connections("swapped letters", "1"), "no claim 'swapped letters'; there are swapped"),
        (connections("factor", "1", by="3"), "factor 3 is no power of ten"),
        (connections("factor", "1"), "claim 'factor': .*missing"),
        (connections("wrong digit", "1", meant="12", found="1"), "claim 'wrong digit': .*found"),
        (connections("factor", "1", by="0"), "factor 0 is no power of ten"),
        (connections("factor", "1", by="ten"), "claim 'factor': .*ten"),
        (connections("factor", "1", by="1/0"), "claim 'factor': .*1, 0"),
        (connections("wrong digit", "1", meant=12), "claim 'wrong digit': "),
        (connections("left out", "1", kinds=3), "claim 'left out': "),
        (connections("sum", "1", parts=["params"]), "dictionary update sequence"),
        (connections("shifted row", "1", rows=["LeNet-7"]), "paper/1 has no cell 'LeNet-7'"),
        (connections("printed sum", "1", table="lenet", column="x"), "claim 'printed sum': "),
        (connections("part", "1"), "claim 'part' takes only or layer"),
        (connections("part", "1", model="lenet1"), "claim 'part' takes only or layer"),
        (connections("part", "1", layer="C7"), "lenet5 has no layer 'C7'"),
        (connections("left out", "1", kinds=["dropout"]), "lenet5 has no dropout to leave out"),
        (connections("other row", "1", row="LeNet-7"), "paper/1 has no cell 'LeNet-7'"),
        (
            connections("from printed numbers", "1", cell=["LeNet-1", "parameters"]),
            "takes over or times",
        ),
        (connections("other network", "1", model="lenet1", colour="red"), "colour"),
    ],
)
def test_what_is_no_claim(case: Claimed, message: str) -> None:
    with pytest.raises(PublishedError, match=message):
        case.finding()
