"""What `archcost operators` tells of the operators."""

from __future__ import annotations

from archcost.ir.ops import OPERATORS
from archcost.spec.reference import operators


def test_every_operator_is_listed_once() -> None:
    assert sorted(name for entry in operators() for name in entry.names) == sorted(OPERATORS)
    assert all(entry.summary for entry in operators())
