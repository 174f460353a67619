"""The report on agreement with other programs."""

from __future__ import annotations

from archcost.report import cross_check as report
from archcost.report import render
from archcost.verify import Check, Verified

VERSIONS = {"exact": "torch 2", "fvcore": "fvcore 1"}
NETWORKS = (
    Verified(
        "one",
        3,
        (Check("exact", "params", 5, 5, None), Check("fvcore", "macs", 7, 7, None)),
    ),
    Verified(
        "two",
        4,
        (Check("exact", "params", 5, 6, None), Check("fvcore", "macs", 7, None, "KeyError: x")),
    ),
)


def test_outcomes() -> None:
    table = report.summary_table(NETWORKS, VERSIONS)
    assert table.rows == (
        ("exact", "params", "the module's parameters (torch 2)", 2, 1, 1, 0),
        ("fvcore", "macs", "fvcore 1", 2, 1, 0, 1),
    )
    assert table.total == ("all", "", "", 4, 2, 1, 1)


def test_networks() -> None:
    table = report.networks_table(NETWORKS)
    assert [column.key for column in table.columns[3:-1]] == ["exact", "fvcore"]
    assert table.rows == (
        ("one", 3, 2, "equal", "equal", ()),
        (
            *("two", 4, 2, "differs", "failed"),
            ("exact, params: 5 here, 6 counted", "fvcore failed: KeyError: x"),
        ),
    )


def test_document_and_data() -> None:
    text = render(report.cross_check_document(NETWORKS, VERSIONS), "markdown")
    assert "2 networks" in text
    assert "4 numbers, of which 2 are equal to the digit, 1 differ and 1 could not be had" in text
    assert "1 networks agree in all" in text
    data = report.cross_check_data(NETWORKS, VERSIONS)
    assert data["programs"] == VERSIONS
    assert [network["agrees"] for network in data["networks"]] == [True, False]
    assert data["networks"][1]["checks"][1] == {
        "convention": "fvcore",
        "quantity": "macs",
        "computed": 7,
        "counted": None,
        "error": "KeyError: x",
        "agrees": False,
    }
