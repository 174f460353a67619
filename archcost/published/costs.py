"""Costs that papers print for a network, as data, and whether archcost's numbers are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from archcost.analysis import Analysis, analyze, storage_bytes
from archcost.sources import load
from archcost.sources.zoo import find

UNITS: Final[dict[str, int]] = {
    "1": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "MB": 10**6,
    "MiB": 2**20,
}
QUANTITIES: Final = ("params", "macs", "flops", "connections", "depth", "storage_bytes")


@dataclass(frozen=True)
class PublishedCost:
    """One printed number and what it speaks of; the keys are described in ``costs/README.md``."""

    model: str
    quantity: str
    printed: str
    unit: str
    source: str
    settings: dict[str, Any] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    layer: str | None = None
    counted: str | None = None
    differs: str | None = None

    def computed(self) -> int:
        """archcost's number for the same quantity, in single units or bytes."""
        analysis = _analysis(self.model, tuple(self.settings.items()), self.input)
        if self.layer is None:
            if self.quantity == "storage_bytes":
                return storage_bytes(analysis.graph, 32)
            if self.quantity == "connections":
                return analysis.connections
            return int(getattr(analysis.totals, self.quantity))
        rows = [
            row
            for row in analysis.layers
            if row.name == self.layer or row.name.startswith(f"{self.layer}/")
        ]
        if not rows:
            raise ValueError(f"{self.model} has no layer {self.layer!r}")
        return sum(int(getattr(row, self.quantity)) for row in rows)

    def agrees(self, computed: int) -> bool:
        """Whether ``computed`` is the printed number at its precision, rounded or truncated."""
        printed = Decimal(self.printed.replace(",", ""))
        exact = Decimal(computed) / UNITS[self.unit]
        step = Decimal(1).scaleb(int(printed.as_tuple().exponent))
        return any(
            exact.quantize(step, rounding=mode) == printed
            for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN)
        )


def published_costs(model: str | None = None) -> Iterator[PublishedCost]:
    """All published costs, or those of one network of the zoo, by name or alias.

    Raises:
        UnknownModelError: no such network.
    """
    wanted = None if model is None else find(model).name
    for path in sorted((Path(__file__).parent / "costs").glob("*.yaml")):
        for entry in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader):
            entry["settings"] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in entry.pop("set", {}).items()
            }
            if "input" in entry:
                entry["input"] = tuple(entry["input"])
            cost = PublishedCost(**entry)
            if wanted is None or find(cost.model).name == wanted:
                yield cost


@cache
def _analysis(
    model: str, settings: tuple[tuple[str, Any], ...], shape: tuple[int, ...] | None
) -> Analysis:
    return analyze(load(model, settings=dict(settings), inputs=shape))
