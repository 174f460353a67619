"""The costs that papers print for the networks of the zoo, against archcost's numbers."""

from __future__ import annotations

import pytest

from archcost.published.costs import QUANTITIES, UNITS, PublishedCost, published_costs
from archcost.sources import UnknownModelError, zoo

COSTS = list(published_costs())


def label(cost: PublishedCost) -> str:
    return "-".join(
        filter(None, (cost.model, cost.layer, cost.quantity, f"{cost.printed}{cost.unit}"))
    )


@pytest.mark.parametrize("cost", COSTS, ids=label)
def test_published_cost(cost: PublishedCost) -> None:
    """Equal at the printed precision, or listed with a reason: a reason may not outlive it."""
    computed = cost.computed()
    if cost.differs:
        assert not cost.agreement(computed), f"{computed} agrees by now: drop `differs`"
    else:
        assert cost.agreement(computed), f"{computed} is not the printed {cost.printed} {cost.unit}"


def test_a_network_s_costs_are_found_by_its_name() -> None:
    """They are looked for in the file that is called like its spec."""
    found = [cost for name in zoo.names() for cost in published_costs(name)]
    assert sorted(map(repr, found)) == sorted(map(repr, COSTS))


def test_costs_are_found_by_alias() -> None:
    assert list(published_costs("simplenet-5m")) == list(published_costs("simplenet"))
    with pytest.raises(UnknownModelError):
        list(published_costs("simplenet-6m"))


def test_entries_are_well_formed() -> None:
    for cost in COSTS:
        assert cost.quantity in QUANTITIES
        assert cost.unit in UNITS
        assert len(cost.source) > 10
        assert isinstance(cost.printed, str)
        assert cost.differs is None or len(cost.differs) > 20


@pytest.mark.parametrize(
    ("printed", "unit", "digits", "computed", "expected"),
    [
        ("138", "M", None, 138_357_544, "rounded"),
        ("138", "M", None, 138_500_001, "cut off"),
        ("138", "M", None, 139_000_000, None),
        ("5.4", "M", None, 5_493_258, "cut off"),
        ("5.5", "M", None, 5_493_258, "rounded"),
        ("5.6", "M", None, 5_493_258, None),
        ("60,000", "1", None, 60_000, "rounded"),
        ("60,000", "1", None, 60_001, None),
        ("60,000", "1", 1, 60_001, "rounded"),
        ("60,000", "1", 1, 65_001, "cut off"),
        ("60,000", "1", 1, 70_001, None),
        ("11300", "M", None, 11_282_415_616, None),
        ("11300", "M", 3, 11_282_415_616, "rounded"),
        ("11300", "M", 4, 11_282_415_616, None),
        ("1.0", "M", None, 996_000, "rounded"),
        ("1.0", "M", None, 940_000, None),
    ],
)
def test_agreement_is_by_printed_precision(
    printed: str, unit: str, digits: int | None, computed: int, expected: str | None
) -> None:
    cost = PublishedCost("lenet5", "params", printed, unit, "nowhere, an example", digits=digits)
    assert cost.agreement(computed) == expected
