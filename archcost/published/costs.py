"""Costs that papers print for a network, as data, and whether archcost's numbers are theirs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from archcost.analysis import Analysis, analyze, storage_bytes
from archcost.published.files import PublishedError, documents, names_of
from archcost.sources import load
from archcost.sources.zoo import squashed

UNITS: Final[dict[str, int]] = {
    "1": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "MB": 10**6,
    "MiB": 2**20,
}
Agreement = Literal["rounded", "cut off"]
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
    digits: int | None = None
    counted: str | None = None
    differs: str | None = None

    def computed(self) -> int:
        """archcost's number for the same quantity, in single units or bytes.

        Raises:
            PublishedError: the network has no such layer or quantity.
            ArchcostError: the network cannot be had with these settings and input.
        """
        analysis = _analysis(self.model, json.dumps(self.settings), self.input)
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
            raise PublishedError(f"{self.model} has no layer {self.layer!r}")
        try:
            return sum(int(getattr(row, self.quantity)) for row in rows)
        except AttributeError:
            raise PublishedError(f"a layer has no {self.quantity}") from None

    def compare(self) -> Comparison:
        """The number beside archcost's own."""
        computed = self.computed()
        return Comparison(self, computed, self.agreement(computed))

    def agreement(self, computed: int) -> Agreement | None:
        """Whether ``computed`` is the printed number at its precision, and how it comes to be.

        The precision is that of the last digit printed; with ``digits``, of that many digits from
        the front, since the zeros at the end of 11300 may be none that were counted.
        """
        printed = Decimal(self.printed.replace(",", ""))
        exact = Decimal(computed) / UNITS[self.unit]
        place = int(printed.as_tuple().exponent)
        if self.digits is not None:
            place = printed.adjusted() - self.digits + 1
        step = Decimal(1).scaleb(place)

        def at(rounding: str) -> Decimal:
            return (exact / step).quantize(Decimal(1), rounding=rounding) * step

        if printed in (at(ROUND_HALF_UP), at(ROUND_HALF_EVEN)):
            return "rounded"
        return "cut off" if printed == at(ROUND_DOWN) else None


class Comparison(NamedTuple):
    """A published number beside archcost's, in single units or bytes; None: they do not agree."""

    cost: PublishedCost
    computed: int
    agreement: Agreement | None

    @property
    def agrees(self) -> bool:
        return self.agreement is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the published cost's fields, ``computed``, ``agrees``, ``agreement``."""
        own = {"computed": self.computed, "agrees": self.agrees, "agreement": self.agreement}
        return {**asdict(self.cost), **own}


def published_costs(model: str | None = None) -> tuple[PublishedCost, ...]:
    """All published costs, or those of one network of the zoo, by name or alias.

    Raises:
        UnknownModelError: no such network.
        PublishedError: a file of costs is broken.
    """
    called = None if model is None else names_of(model)
    return tuple(
        cost
        for path, document in documents("costs")
        for entry in document
        for cost in [_cost(path, entry)]
        if called is None or squashed(cost.model) in called
    )


def _cost(path: Path, entry: Any) -> PublishedCost:
    try:
        entry["settings"] = entry.pop("set", {})
        if "input" in entry:
            entry["input"] = tuple(entry["input"])
        return PublishedCost(**entry)
    except (AttributeError, TypeError) as error:
        raise PublishedError(f"{path.name}: {error} in {entry!r:.200}") from None


@lru_cache(maxsize=64)
def _analysis(model: str, settings: str, shape: tuple[int, ...] | None) -> Analysis:
    return analyze(load(model, settings=json.loads(settings), inputs=shape))
