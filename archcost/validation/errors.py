"""How far estimates are from measurements: signed errors, their distribution, rank correlation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from statistics import correlation, fmean, median, quantiles
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

WITHIN: Final = (0.10, 0.25, 0.50)
"""Shares of the measured value within which estimates are counted."""
PERCENTILES: Final = (5, 25, 50, 75, 95)
"""Percentiles of the signed error that are given."""
EDGES: Final = (-0.75, -0.50, -0.25, -0.10, 0.0, 0.10, 0.25, 0.50, 1.0)
"""Signed errors between which a histogram's bins lie."""


class Pair(NamedTuple):
    """An estimate and what was measured, both above 0."""

    estimated: float
    measured: float

    @property
    def error(self) -> float:
        """(estimated - measured) / measured: -0.1 is 10 % too little."""
        return self.estimated / self.measured - 1


@dataclass(frozen=True)
class Errors:
    """The errors of estimates, as shares of what was measured; of one ``pair`` at least."""

    pairs: tuple[Pair, ...]

    @property
    def count(self) -> int:
        return len(self.pairs)

    @cached_property
    def signed(self) -> list[float]:
        """The error of each pair."""
        return [pair.error for pair in self.pairs]

    @cached_property
    def mean_absolute(self) -> float:
        return fmean(map(abs, self.signed))

    @cached_property
    def median_absolute(self) -> float:
        return median(map(abs, self.signed))

    @cached_property
    def percentiles(self) -> tuple[float, ...]:
        """Of the signed error, at :data:`PERCENTILES`."""
        return tuple(percentile(self.signed, percent) for percent in PERCENTILES)

    @cached_property
    def within(self) -> tuple[float, ...]:
        """The shares of the estimates whose error is within :data:`WITHIN`."""
        return tuple(sum(abs(e) <= most for e in self.signed) / self.count for most in WITHIN)

    @cached_property
    def spearman(self) -> float | None:
        """The rank correlation of estimates and measurements: :func:`spearman`."""
        return spearman(*zip(*self.pairs, strict=True))

    @cached_property
    def kendall(self) -> float | None:
        """Kendall's: :func:`kendall`."""
        return kendall(*zip(*self.pairs, strict=True))


def errors(pairs: Sequence[Pair]) -> Errors:
    """The errors of ``pairs``.

    Raises:
        ValueError: there are none.
    """
    if not pairs:
        raise ValueError("no estimates to judge")
    return Errors(tuple(pairs))


def percentile(numbers: Sequence[float], percent: int) -> float:
    """The percentile of a sample, between whose members is interpolated linearly."""
    if len(numbers) == 1:
        return numbers[0]
    return quantiles(numbers, n=100, method="inclusive")[percent - 1]


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation: Pearson's of the ranks, equal numbers sharing their mean rank.

    None where it is not defined: fewer than three pairs, or all numbers of a side equal.
    """
    if _undefined(first, second):
        return None
    return correlation(_ranks(first), _ranks(second))


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's rank correlation, tau-b: of all pairs of pairs, those in the same order less those
    in opposite order, over the geometric mean of those that are not equal on either side.

    None where it is not defined, as :func:`spearman`.
    """
    if _undefined(first, second):
        return None
    agreement = differ_first = differ_second = 0
    pairs = list(zip(first, second, strict=True))
    for index, (x, y) in enumerate(pairs):
        for other_x, other_y in pairs[:index]:
            by_x = (x > other_x) - (x < other_x)
            by_y = (y > other_y) - (y < other_y)
            agreement += by_x * by_y
            differ_first += by_x != 0
            differ_second += by_y != 0
    return agreement / sqrt(differ_first * differ_second)


def _undefined(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) < 3 or len(set(first)) == 1 or len(set(second)) == 1


def _ranks(numbers: Sequence[float]) -> list[float]:
    """The place of each number among all, from 1; equal ones have the mean of their places."""
    ordered = sorted(numbers)
    return [(bisect_left(ordered, n) + bisect_right(ordered, n) + 1) / 2 for n in numbers]


def histogram(signed: Iterable[float], edges: Sequence[float] = EDGES) -> list[int]:
    """How many errors lie below the first edge, from each edge to below the next, and from the
    last edge on."""
    counts = [0] * (len(edges) + 1)
    for error in signed:
        counts[bisect_right(edges, error)] += 1
    return counts


def grouped(things: Iterable[T], key: Callable[[T], Key]) -> dict[Key, list[T]]:
    """``things`` by what ``key`` gives of each, in the order in which the keys come first."""
    groups: dict[Key, list[T]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups
