"""The costs that papers print for the networks of the zoo, against archcost's numbers."""

from __future__ import annotations

import pytest

from archcost.published.costs import QUANTITIES, UNITS, PublishedCost, published_costs

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
        assert not cost.agrees(computed), f"{computed} agrees by now: drop `differs`"
    else:
        assert cost.agrees(computed), f"{computed} is not the printed {cost.printed} {cost.unit}"


def test_entries_are_well_formed() -> None:
    for cost in COSTS:
        assert cost.quantity in QUANTITIES
        assert cost.unit in UNITS
        assert len(cost.source) > 10
        assert isinstance(cost.printed, str)
        assert cost.differs is None or len(cost.differs) > 20


@pytest.mark.parametrize(
    ("printed", "unit", "computed", "expected"),
    [
        ("138", "M", 138_357_544, True),
        ("138", "M", 138_500_001, True),  # truncated
        ("138", "M", 139_000_000, False),
        ("5.4", "M", 5_493_258, True),  # truncated
        ("5.5", "M", 5_493_258, True),  # rounded
        ("5.6", "M", 5_493_258, False),
        ("60,000", "1", 60_000, True),
        ("60,000", "1", 60_001, False),
    ],
)
def test_agreement_is_by_printed_precision(
    printed: str, unit: str, computed: int, expected: bool
) -> None:
    cost = PublishedCost("lenet5", "params", printed, unit, "nowhere, an example")
    assert cost.agrees(computed) is expected
