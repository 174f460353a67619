"""Aligning sequences, against trying all there is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.analysis import sequences
from archcost.analysis.sequences import NEVER, Pairs, best_pairs, longest_common, longest_rising

Matrix = list[list[int]]
LETTERS = st.lists(st.sampled_from("abc"), max_size=8)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    """Scores, and bonuses with a row and a column more."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    score, bonus = st.sampled_from([NEVER, -9, -5, 3, 10]), st.integers(0, 6)
    scores = [[draw(score) for _ in range(columns)] for _ in range(rows)]
    return scores, [[draw(bonus) for _ in range(columns + 1)] for _ in range(rows + 1)]


def aligned(scores: Matrix, bonuses: Matrix, guide: Pairs = ()) -> Pairs:
    return best_pairs(
        lambda i, low, high: scores[i][low:high],
        lambda i, low, high: bonuses[i][low:high],
        len(scores),
        len(scores[0]),
        lambda: list(guide),
    )


def best_score(scores: Matrix, bonuses: Matrix) -> int:
    """The highest total score, by trying every alignment."""
    length, other = len(scores), len(scores[0])

    @lru_cache(None)
    def best(i: int, j: int, behind_a_pair: bool) -> int:
        if (i, j) == (length, other):
            return bonuses[i][j] * behind_a_pair
        found = []
        if i < length:
            found.append(best(i + 1, j, False))
        if j < other:
            found.append(best(i, j + 1, False))
        if i < length and j < other:
            bonus = bonuses[i][j] * behind_a_pair
            found.append(scores[i][j] + bonus + best(i + 1, j + 1, True))
        return max(found)

    return best(0, 0, True)


def total(pairs: Pairs, scores: Matrix, bonuses: Matrix) -> int:
    ends = [(-1, -1), *pairs, (len(scores), len(scores[0]))]
    result = sum(scores[i][j] for i, j in pairs)
    for before, after in pairwise(ends):
        if after == (before[0] + 1, before[1] + 1):
            result += bonuses[after[0]][after[1]]
    return result


def is_rising(pairs: Pairs) -> bool:
    return all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))


@given(matrices())
def test_pairs_are_the_best(case: tuple[Matrix, Matrix]) -> None:
    pairs = aligned(*case)
    assert is_rising(pairs)
    assert total(pairs, *case) == best_score(*case)


@given(matrices(), st.data())
def test_a_band_is_near_the_guess(case: tuple[Matrix, Matrix], data: st.DataObject) -> None:
    scores, _ = case
    width = len(scores[0])
    places = data.draw(st.lists(st.integers(-1, width - 1), max_size=len(scores)))
    guide = [(index, places[index]) for index in longest_rising(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "MOST_CELLS", 1)
        patch.setattr(sequences, "NARROWEST_BAND", 2)
        narrow = aligned(*case, guide)
        patch.setattr(sequences, "NARROWEST_BAND", 2 * width)
        assert aligned(*case, guide) == aligned(*case)
    assert is_rising(narrow)
    assert total(narrow, *case) <= best_score(*case)
    if total(guide, *case) > NEVER // 2:  # it finds at least what it was given
        assert total(narrow, *case) >= total(guide, *case)


def common(left: Sequence[str], right: Sequence[str]) -> int:
    """The length of a longest common subsequence, by the table."""
    row = [0] * (len(right) + 1)
    for a in left:
        new = [0]
        for index, b in enumerate(right):
            new.append(row[index] + 1 if a == b else max(row[index + 1], new[-1]))
        row = new
    return row[-1]


@given(LETTERS, LETTERS)
def test_longest_common(left: list[str], right: list[str]) -> None:
    pairs = longest_common(left, right)
    assert is_rising(pairs)
    assert all(left[i] == right[j] for i, j in pairs)
    assert len(pairs) == common(left, right)


def test_longest_common_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "MOST_BITS", 3)
    assert longest_common("ab", "ab") == []
    assert longest_common("a", "ab") == [(0, 0)]


@given(st.lists(st.integers(-2, 8), max_size=8))
def test_longest_rising(places: list[int]) -> None:
    found = [places[index] for index in longest_rising(places)]
    assert found == sorted({*found})
    assert all(place >= 0 for place in found)
    known = [place for place in places if place >= 0]
    assert len(found) == max(
        len(part)
        for size in range(len(known) + 1)
        for part in combinations(known, size)
        if list(part) == sorted({*part})
    )
