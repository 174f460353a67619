"""The verdict on a printed number, and what it says where the data is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archcost.published.files import PublishedError
from archcost.published.measure import Measure
from archcost.published.printed import Printed
from archcost.published.tables import Cell, PrintedTable
from archcost.published.verdicts import KINDS, Verdict, judge, tallies, verdicts


def verdict(printed: str, **said: Any) -> Verdict:
    """On LeNet-5's 60,000 parameters; the fixed codes of its output are 840 numbers more."""
    measure = Measure("lenet5", "params").changed(said.pop("measure", {}))
    cell = Cell("LeNet-5", "Params", Printed(printed), measure, **said)
    return judge(PrintedTable("paper/1", "A table", "a paper", (cell,)), cell)


STORED = {"convention": "keras"}
ONE_LAYER = {"claim": "part", "layer": "C5"}


@pytest.mark.parametrize(
    ("printed", "said", "kind", "explanation"),
    [
        ("60K", {}, "match", ""),
        ("59.9K", {}, "not reproduced", ""),
        ("60,840", {"counted": STORED}, "match under another convention", ""),
        ("60,840", {"counted": STORED, "note": "with codes"}, KINDS[1], "With codes."),
        ("48,120", {"erratum": ONE_LAYER}, "erratum", "Only C5 counted."),
        ("48,120", {"erratum": ONE_LAYER, "note": "so"}, "erratum", "Only C5 counted. So."),
        ("61K", {"tried": "all else."}, "not reproduced", "All else."),
        ("60K", {"note": "weights"}, "match", "Weights."),
    ],
)
def test_verdict(printed: str, said: dict[str, Any], kind: str, explanation: str) -> None:
    found = verdict(printed, **said)
    assert (found.kind, found.explanation) == (kind, explanation)
    assert (found.problem is None) == bool(said or kind == "match")


def test_the_number_is_that_of_its_convention() -> None:
    found = verdict("60,840", counted=STORED)
    assert (found.computed, found.convention) == (60_840, "keras")
    found = verdict("48,120", erratum=ONE_LAYER)
    assert (found.computed, found.convention, found.claim) == (60_000, "exact", "part")


@pytest.mark.parametrize(
    ("printed", "said", "problem"),
    [
        ("60,841", {"counted": STORED}, "under keras it is 60,840"),
        ("48,121", {"erratum": ONE_LAYER}, "claim 'part' does not hold: only C5 counted, 48,120"),
        ("60,001", {}, "neither matched nor explained"),
        ("60,000", {"tried": "all"}, "it matches"),
        ("60,000", {"counted": STORED}, "it matches"),
        ("60,000", {"erratum": ONE_LAYER}, "it matches"),
    ],
)
def test_data_that_is_wrong_is_a_problem(printed: str, said: dict[str, Any], problem: str) -> None:
    found = verdict(printed, **said)
    assert found.kind == ("match" if printed == "60,000" else "not reproduced")
    assert found.problem is not None
    assert found.problem.startswith(problem)


@pytest.mark.parametrize(
    ("printed", "said", "message"),
    [
        ("61K", {"erratum": {"claim": "misprint"}}, "no claim 'misprint'; there are swapped"),
        ("61K", {"erratum": {}}, "no claim None"),
        ("61K", {"counted": {"convention": "flops"}}, "no convention 'flops'; there are exact"),
        ("61K", {"counted": {"convention": "keras", "quantity": "macc"}}, "keras counts no 'macc'"),
        ("61K", {"measure": {"model": "lenet-6"}}, "no network 'lenet-6'"),
        ("61K", {"measure": {"model": "1" * 500}}, "no network '111"),
        ("61K", {"measure": {"times": "twice"}}, "twice"),
        ("61K", {"measure": {"only": "conv"}}, "dictionary"),
        ("61K", {"measure": {"input": [None]}}, "input"),
        ("61K", {"measure": {"relation": "ratio", "to": {"times": 0}}}, "0"),
    ],
)
def test_a_cell_that_cannot_be_judged_is_named(
    printed: str, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(PublishedError) as caught:
        verdict(printed, **said)
    assert str(caught.value).startswith("paper/1, row 'LeNet-5', column 'Params': ")
    assert message in str(caught.value)


def test_a_number_that_is_cut_off_matches_and_says_so() -> None:
    cell = Cell("LeNet-5", "Connections", Printed("0.340M"), Measure("lenet5", "connections"))
    table = PrintedTable("paper/1", "A table", "a paper", (cell,))
    assert (judge(table, cell).kind, judge(table, cell).explanation) == ("match", "Cut off.")


def test_plain_data_and_tallies() -> None:
    cells = [verdict("60K").cell, verdict("61K", tried="all else").cell]
    table = PrintedTable("paper/1", "A table", "a paper", tuple(cells))
    found = list(verdicts([table]))
    assert tallies(found) == {"paper/1": {KINDS[0]: 1, KINDS[1]: 0, KINDS[2]: 0, KINDS[3]: 1}}
    plain = found[0].as_dict()
    assert plain["computed"] == 60_000
    assert plain["verdict"] == "match"
    assert json.loads(json.dumps(plain)) == plain
