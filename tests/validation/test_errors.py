"""Errors of estimates: cases worked out by hand, and what holds of any numbers."""

from __future__ import annotations

import statistics
import sys

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.validation.errors import (
    EDGES,
    PERCENTILES,
    Pair,
    errors,
    grouped,
    histogram,
    kendall,
    percentile,
    spearman,
)

# https://en.wikipedia.org/wiki/Spearman%27s_rank_correlation_coefficient#Example
IQ = (106, 100, 86, 101, 99, 103, 97, 113, 112, 110)
HOURS = (7, 27, 2, 50, 28, 29, 20, 12, 6, 17)

positive = st.floats(1e-6, 1e6)
pairs = st.lists(st.builds(Pair, positive, positive), min_size=1, max_size=30)
small = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=12)


def test_by_hand() -> None:
    found = errors([Pair(108, 100), Pair(80, 100), Pair(100, 100), Pair(0.4, 1)])
    assert found.count == 4
    assert found.signed == pytest.approx([0.08, -0.2, 0, -0.6])
    assert found.mean_absolute == pytest.approx(0.22)
    assert found.median_absolute == pytest.approx(0.14)
    assert found.percentiles[PERCENTILES.index(50)] == pytest.approx(-0.1)
    assert found.within == (0.5, 0.75, 0.75)
    # By rank: estimates 4, 2, 3, 1, measurements 3, 3, 3, 1.
    assert found.spearman == pytest.approx(statistics.correlation([4, 2, 3, 1], [3, 3, 3, 1]))
    assert found.kendall == pytest.approx(3 / (6 * 3) ** 0.5)


def test_nothing_has_no_errors() -> None:
    with pytest.raises(ValueError, match="no estimates"):
        errors([])


def test_known_rank_correlations() -> None:
    assert spearman(IQ, HOURS) == pytest.approx(-29 / 165)
    assert spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    # Of six pairs four agree, one is equal on each side.
    assert kendall([1, 2, 2, 3], [1, 2, 3, 3]) == pytest.approx(4 / 5)


@pytest.mark.parametrize("correlate", [spearman, kendall])
def test_undefined(correlate) -> None:
    assert correlate([1, 2], [1, 2]) is None
    assert correlate([1, 1, 1], [1, 2, 3]) is None
    assert correlate([1, 2, 3], [5, 5, 5]) is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="statistics has no ranks before 3.12")
@given(small)
def test_spearman_is_that_of_the_standard_library(both) -> None:
    first, second = zip(*both, strict=True)
    found = spearman(first, second)
    if found is not None:
        assert found == pytest.approx(statistics.correlation(first, second, method="ranked"))


@pytest.mark.parametrize("correlate", [spearman, kendall])
@given(small)
def test_correlations(correlate, both) -> None:
    first, second = zip(*both, strict=True)
    found = correlate(first, second)
    if found is None:
        return
    assert -1 - 1e-9 <= found <= 1 + 1e-9
    assert correlate(second, first) == pytest.approx(found)
    assert correlate([x**3 + 1 for x in first], second) == pytest.approx(found)
    assert correlate([-x for x in first], second) == pytest.approx(-found)
    assert correlate(first, first) == pytest.approx(1)


@given(pairs, positive)
def test_errors_have_no_unit(found, factor) -> None:
    scaled = [Pair(pair.estimated * factor, pair.measured * factor) for pair in found]
    assert errors(scaled).signed == pytest.approx(errors(found).signed)


@given(pairs)
def test_errors_bound_one_another(found) -> None:
    total = errors(found)
    assert 0 <= total.median_absolute <= max(map(abs, total.signed))
    assert abs(statistics.fmean(total.signed)) <= total.mean_absolute + 1e-12
    assert list(total.percentiles) == pytest.approx(sorted(total.percentiles))
    assert list(total.within) == sorted(total.within)


@given(st.lists(st.floats(-1, 10), min_size=1, max_size=20), st.sampled_from(PERCENTILES))
def test_percentiles_are_numpys(numbers, percent) -> None:
    assert percentile(numbers, percent) == pytest.approx(numpy.percentile(numbers, percent))


@given(st.lists(st.floats(-1, 10)))
def test_histogram(signed) -> None:
    bins = histogram(signed)
    assert len(bins) == len(EDGES) + 1
    assert sum(bins) == len(signed)
    assert bins[0] == sum(error < EDGES[0] for error in signed)
    assert bins[-1] == sum(error >= EDGES[-1] for error in signed)


def test_bins() -> None:
    assert histogram([-0.8, -0.1, 0, 0.05, 2], (-0.5, 0, 0.5)) == [1, 1, 2, 1]


def test_groups_keep_their_order() -> None:
    assert grouped("banana", lambda letter: letter) == {"b": ["b"], "a": ["a"] * 3, "n": ["n"] * 2}
