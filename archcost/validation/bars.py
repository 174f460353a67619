"""What estimates are held to: the errors that a validation has to stay below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from archcost.validation.errors import Pair, errors
from archcost.validation.judging import Judged


class Bar(NamedTuple):
    """One demand on estimates for devices of a ``kind``.

    ``quantity`` is ``mean absolute error``, ``median absolute error`` (both at most ``limit``) or
    ``rank correlation`` (Spearman's, at least ``limit``) of ``what``, ``latency`` or ``memory``, at
    ``batch`` and in ``dtype`` (None: all of them together).
    """

    kind: str
    what: str
    quantity: str
    limit: float
    batch: int | None = None
    dtype: str | None = None

    def found(self, judged: Iterable[Judged]) -> float | None:
        """The quantity, of those of ``judged`` that the bar speaks of; None where there are none,
        or where it is not defined."""
        pairs = [pair for one in judged if self._meant(one) and (pair := self._pair(one))]
        if not pairs:
            return None
        total = errors(pairs)
        if self.quantity == "rank correlation":
            return total.spearman
        return total.mean_absolute if self.quantity.startswith("mean") else total.median_absolute

    def met(self, found: float) -> bool:
        """Whether ``found`` is good enough."""
        return found > self.limit if self.quantity == "rank correlation" else found < self.limit

    def _meant(self, one: Judged) -> bool:
        return self.batch in (None, one.batch) and self.dtype in (None, one.dtype)

    def _pair(self, one: Judged) -> Pair | None:
        return one.latency if self.what == "latency" else one.memory


def _latency(kind: str, batch: int, dtype: str, mean: float, rank: float) -> tuple[Bar, Bar]:
    return (
        Bar(kind, "latency", "mean absolute error", mean, batch, dtype),
        Bar(kind, "latency", "rank correlation", rank, batch, dtype),
    )


BARS: Final = (
    *_latency("cpu", 1, "fp32", 0.25, 0.95),
    *_latency("cpu", 8, "fp32", 0.25, 0.95),
    *_latency("gpu", 64, "fp32", 0.15, 0.97),
    *_latency("gpu", 64, "bf16", 0.15, 0.97),
    Bar("gpu", "memory", "median absolute error", 0.05),
)
