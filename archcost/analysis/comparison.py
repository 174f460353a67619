"""Networks side by side: what is compared, which is best, how many times, which are not dominated.

Pure computing on :class:`~archcost.analysis.Analysis`. What other parts of archcost know of a
network (its count by a convention, a published accuracy) comes in as :attr:`Compared.also`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from archcost.analysis.memory import weight_bytes
from archcost.analysis.result import Analysis
from archcost.analysis.storage import STORAGE_DTYPES
from archcost.ir import ArchcostError, Shape

Better = Literal["less", "more"]
"""Which of two values of a quantity is the better one."""
Number = int | float


class ComparisonError(ArchcostError, ValueError):
    """A comparison was asked for that cannot be made."""


class Quantity(NamedTuple):
    """Something that networks are compared by.

    ``better`` is None where neither less nor more of it is good in itself. ``ratio`` says whether
    "so many times as much" means anything. ``of`` gives it from an analysis, or None where nobody
    knows it; a quantity that only :attr:`Compared.also` has needs none.
    """

    key: str
    better: Better | None = None
    ratio: bool = False
    of: Callable[[Analysis], Any] = lambda _analysis: None


def _about(key: str) -> Callable[[Analysis], Any]:
    return lambda analysis: analysis.graph.metadata.get(key) or None


def input_shape(analysis: Analysis) -> Shape | None:
    """The first input's shape, without the batch where every shape has it."""
    graph = analysis.graph
    if not graph.inputs:
        return None
    shape = graph.inputs[0].shape
    return shape[1:] if analysis.batched and shape[:1] == (graph.batch,) else shape


def _work(key: str) -> Callable[[Analysis], int | None]:
    """Where an operator is unknown the sum over the others is no number of the network."""
    return lambda analysis: None if analysis.totals.unknown else getattr(analysis.totals, key)


def _total(key: str) -> Callable[[Analysis], Any]:
    return lambda analysis: getattr(analysis.totals, key)


def _stored(dtype: str) -> Callable[[Analysis], int]:
    return lambda analysis: analysis.totals.storage_bytes[dtype]


QUANTITIES: Final[dict[str, Quantity]] = {
    quantity.key: quantity
    for quantity in (
        Quantity("title", of=_about("title")),
        Quantity("family", of=_about("family")),
        Quantity("year", of=_about("year")),
        Quantity("dataset", of=_about("dataset")),
        Quantity("input", of=input_shape),
        Quantity("params", "less", True, _total("params")),
        Quantity("buffers", "less", True, _total("buffers")),
        Quantity("macs", "less", True, _work("macs")),
        Quantity("flops", "less", True, _work("flops")),
        Quantity("activations", "less", True, _total("activations")),
        Quantity("peak_memory_bytes", "less", True, _total("peak_memory_bytes")),
        Quantity("traffic_bytes", "less", True, _total("traffic_bytes")),
        Quantity("arithmetic_intensity", None, True, _work("arithmetic_intensity")),
        Quantity("storage_bytes", "less", True, lambda analysis: weight_bytes(analysis.graph)),
        *(
            Quantity(f"storage_bytes_{dtype}", "less", True, _stored(dtype))
            for dtype in STORAGE_DTYPES
        ),
        Quantity("depth", of=_total("depth")),
        Quantity("layers", of=lambda analysis: len(analysis.graph.nodes)),
        Quantity("receptive_field", of=lambda analysis: analysis.totals.receptive_field or None),
    )
}
"""What an analysis alone tells, by key. Counts are for the whole batch; ``storage_bytes`` is at the
dtypes that the network has, ``storage_bytes_int8`` and the like at another; ``input`` is
:func:`input_shape`."""

ACCURACY: Final = Quantity("accuracy", "more")
"""Percent of right answers, as published."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A network of a comparison, under the ``name`` that no other there has.

    ``also`` are values by key that the analysis does not have, or that stand for its own.
    """

    name: str
    analysis: Analysis
    also: Mapping[str, Any] = field(default_factory=dict)

    def value(self, quantity: Quantity) -> Any:
        """How much it has of ``quantity``; None where nobody knows."""
        if quantity.key in self.also:
            return self.also[quantity.key]
        return quantity.of(self.analysis)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Networks side by side in ``quantities``; ``reference`` is one of them."""

    networks: tuple[Compared, ...]
    quantities: tuple[Quantity, ...]
    reference: Compared | None = None

    @property
    def judged(self) -> tuple[Quantity, ...]:
        """Those of the quantities of which less, or more, is better."""
        return tuple(quantity for quantity in self.quantities if quantity.better)

    def best(self, quantity: Quantity) -> Number | None:
        """The best value there is; None where all have the same, or no value is better."""
        return self._best[quantity]

    @cached_property
    def _best(self) -> dict[Quantity, Number | None]:
        return {
            quantity: best([network.value(quantity) for network in self.networks], quantity.better)
            for quantity in self.quantities
        }

    def ratio(self, network: Compared, quantity: Quantity) -> float | None:
        """How many times the reference's value; None where that means nothing or is not known."""
        if self.reference is None or not quantity.ratio:
            return None
        return ratio(network.value(quantity), self.reference.value(quantity))

    def known(self) -> tuple[Compared, ...]:
        """The networks that have a value in each of :attr:`judged`."""
        return tuple(
            network
            for network in self.networks
            if all(network.value(quantity) is not None for quantity in self.judged)
        )

    def front(self) -> tuple[Compared, ...]:
        """Those of :meth:`known` that no other of them dominates in :attr:`judged`.

        Raises:
            ComparisonError: of none of the quantities less or more is better.
        """
        judged = self.judged
        if not judged:
            chosen = ", ".join(quantity.key for quantity in self.quantities) or "none"
            raise ComparisonError(
                "a Pareto front needs a column of which less or more is better, params or macs for "
                f"one; the columns are: {chosen}"
            )
        networks = self.known()
        points = [[network.value(quantity) for quantity in judged] for network in networks]
        return tuple(
            networks[index] for index in front(points, [q.better or "less" for q in judged])
        )


def best(values: Iterable[Number | None], better: Better | None) -> Number | None:
    """The least or greatest of the known values; None where all are the same or there are none."""
    known = {value for value in values if value is not None}
    if better is None or len(known) < 2:
        return None
    return min(known) if better == "less" else max(known)


def ratio(value: Number | None, reference: Number | None) -> float | None:
    """``value / reference``; None where one is not known, or the reference is 0."""
    return None if value is None or not reference else value / reference


def front(points: Sequence[Sequence[Number]], better: Sequence[Better]) -> list[int]:
    """The Pareto front: the indices, ascending, of the points that no other point dominates.

    A point dominates another where it is as good in every coordinate and better in one; equal
    points do not dominate each other. ``better`` says of each coordinate which way is good.

    Sorted from the best, a point can only be dominated by one before it; and if one does, then so
    does one of the front.
    """
    signs = [1 if way == "less" else -1 for way in better]
    costs = [
        tuple([sign * value for sign, value in zip(signs, point, strict=True)]) for point in points
    ]
    found: list[int] = []
    for index in sorted(range(len(costs)), key=costs.__getitem__):
        cost = costs[index]
        if not any(
            costs[one] != cost and all(a <= b for a, b in zip(costs[one], cost, strict=True))
            for one in found
        ):
            found.append(index)
    return sorted(found)
