"""Two sequences side by side: which items of one belong to which of the other, in order.

Nothing here knows what the items are: it is given a score for each pair, or a key for each item.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Final

Pairs = list[tuple[int, int]]
"""Indices of items that belong together, rising in both sequences."""
Scores = Callable[[int, int, int], Sequence[int]]
"""``scores(i, low, high)``: of item ``i`` of the first sequence with each of the items from ``low``
to ``high - 1`` of the second; :data:`NEVER` for two that must not be paired."""

NEVER: Final = -(10**12)
MOST_CELLS: Final = 500_000
"""Pairs of items that are weighed: up to here all there are, beyond it those near a first guess."""
NARROWEST_BAND: Final = 16
MOST_BITS: Final = 2**29
"""Bits that :func:`longest_common` may keep: of two sequences of 23,000 items."""

_UP, _LEFT, _PAIR, _AFTER_A_PAIR = 0, 1, 2, 4


def best_pairs(
    scores: Scores, bonuses: Scores, length: int, other: int, guide: Callable[[], Pairs]
) -> Pairs:
    """The pairs with the highest total score between sequences of ``length`` and ``other`` items.

    A pair right behind another one, nothing between them in either sequence, scores its bonus
    besides. So does a pair of the very first items, and behind one of the very last there is
    another bonus: that of ``length`` with ``other``. Of equally good pairs it has the earliest.

    All pairs are weighed where they are no more than :data:`MOST_CELLS`. Where they are, only
    those in a band around ``guide()``, so that the work grows with ``length + other`` and not with
    their product.
    """
    if (length + 1) * (other + 1) <= MOST_CELLS:
        bands = [(0, other)] * (length + 1)
    else:
        width = max(NARROWEST_BAND, MOST_CELLS // (length + other))
        bands = _bands(guide(), length, other, width // 2)
    return _best_in(bands, scores, bonuses)


def _best_in(bands: Sequence[tuple[int, int]], scores: Scores, bonuses: Scores) -> Pairs:
    """As :func:`best_pairs`; with ``i`` items of the first sequence behind, between the two numbers
    of ``bands[i]`` are of the second. Needleman and Wunsch's recurrence, with a second value at
    each place: the best score of what ends there with a pair."""
    width = bands[-1][1] + 1
    best = [0] * (bands[0][1] + 1) + [NEVER] * (width - bands[0][1] - 1)
    ending = [0] + [NEVER] * (width - 1)  # the beginning is as good as a pair
    steps = [bytes([_LEFT]) * (bands[0][1] + 1)]
    for row, ((above, _), (low, high)) in enumerate(pairwise(bands)):
        codes = bytearray()
        corner = corner_ending = left = NEVER
        first = max(low, 1)
        if low == 0:
            corner, corner_ending, left = best[0], ending[0], best[0]
            ending[0] = NEVER
            codes.append(_UP)
        elif low > above:
            corner, corner_ending = best[low - 1], ending[low - 1]
        its = zip(scores(row, first - 1, high), bonuses(row, first - 1, high), strict=True)
        for column, (score, bonus) in enumerate(its, first):
            up, up_ending = best[column], ending[column]
            corner_ending += bonus
            if corner_ending >= corner:
                pair = corner_ending + score
                code = _AFTER_A_PAIR
            else:
                pair = corner + score
                code = 0
            if left > up:
                total = left
                code |= _LEFT
            else:
                total = up
            if pair > total:
                total = pair
                code = code & _AFTER_A_PAIR | _PAIR
            codes.append(code)
            best[column], ending[column] = total, pair
            corner, corner_ending, left = up, up_ending, total
        steps.append(bytes(codes))
    (last,) = bonuses(len(bands) - 1, width - 1, width)
    return _traced(steps, bands, ends_with_a_pair=ending[-1] + last > best[-1])


def _traced(
    steps: Sequence[bytes], bands: Sequence[tuple[int, int]], *, ends_with_a_pair: bool
) -> Pairs:
    row, column = len(bands) - 1, bands[-1][1]
    pairs = []
    paired = ends_with_a_pair
    while row or column:
        code = steps[row][column - bands[row][0]]
        if paired or code & 3 == _PAIR:
            row, column = row - 1, column - 1
            pairs.append((row, column))
            paired = bool(code & _AFTER_A_PAIR)
        elif code & 3 == _LEFT:
            column -= 1
        else:
            row -= 1
    return pairs[::-1]


def _bands(guide: Pairs, length: int, other: int, reach: int) -> list[tuple[int, int]]:
    """For each number of items of the first sequence how many of the second may be behind: those
    of ``guide``, on straight lines where it has no pairs, and ``reach`` more to either side."""
    bands = [(other, 0)] * (length + 1)
    row = column = 0
    for next_row, next_column in [*((a + 1, b + 1) for a, b in guide), (length, other)]:
        rows, columns = next_row - row, next_column - column
        for step in range(max(rows, 1)):
            # A row has what lies on the line up to the next row.
            low = column + columns * step // max(rows, 1) - reach
            high = column + columns * (step + 1) // max(rows, 1) + reach
            known = bands[row + step]
            bands[row + step] = min(known[0], max(0, low)), max(known[1], min(other, high))
        row, column = next_row, next_column
    bands[-1] = min(bands[-1][0], max(0, other - reach)), other
    return bands


def longest_rising(places: Sequence[int]) -> list[int]:
    """The indices of a longest rising part of ``places``, of which those below 0 do not count."""
    ends: list[int] = []  # ends[k]: index of the least last place of a rising part of k + 1
    values: list[int] = []
    before: dict[int, int] = {}
    for index, place in enumerate(places):
        if place < 0:
            continue
        size = bisect_left(values, place)
        if size:
            before[index] = ends[size - 1]
        ends[size : size + 1] = [index]
        values[size : size + 1] = [place]
    chain = ends[-1:]
    while chain and chain[-1] in before:
        chain.append(before[chain[-1]])
    return chain[::-1]


def longest_common(left: Sequence[Hashable], right: Sequence[Hashable]) -> Pairs:
    """A longest common subsequence; nothing where it would take more than :data:`MOST_BITS`.

    One row of the table of lengths is one integer, a bit for each item of ``right`` that is 0
    where the length grows, and follows from the row before in a few operations (Hyyrö 2004,
    "Bit-parallel LCS-length computation revisited").
    """
    if len(left) * len(right) > MOST_BITS:
        return []
    places: dict[Hashable, int] = {}
    for index, item in enumerate(right):
        places[item] = places.get(item, 0) | 1 << index
    everything = (1 << len(right)) - 1
    row = everything
    rows = [row]
    for item in left:
        taken = row & places.get(item, 0)
        row = ((row + taken) | (row - taken)) & everything
        rows.append(row)
    pairs = []
    i, j = len(left), len(right)
    while i and j:
        if rows[i] >> (j - 1) & 1:
            j -= 1
        elif not rows[i - 1] >> (j - 1) & 1:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
