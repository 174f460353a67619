"""How large the boxes of a plate picture are, and where they stand.

Side lengths grow with the square root of height and width, thickness with that of the channels,
so that 224 x 224 x 64 and 7 x 7 x 512 fit one picture; the labels give the true sizes. A vector is
a thin tall bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod, sqrt
from typing import Final
from unicodedata import east_asian_width

from archcost.diagram.volume_model import Volume

TALLEST: Final = 170.0
LEAST_SIDE: Final = 7.0
THINNEST: Final = 2.5
THICKEST: Final = 58.0
AIRY_THICKNESS: Final = 1.3
DENSE_THICKNESS: Final = 0.85
"""Points for the square root of a channel."""
BAR: Final = 7.0
"""The sides of a vector's bar."""
LONGEST_BAR: Final = 0.75 * TALLEST
LEAST_LONGEST: Final = 1000
"""Of the vectors of a picture: ten elements alone make no tall bar."""
GAP: Final = 16.0
"""From the back of one box to the front of the next."""

FONT: Final = 8.0
LETTER: Final = 0.6 * FONT
"""Points that a letter takes, with some to spare."""
LONGEST_LINE: Final = 16
"""Letters up to which two parts of a label share a line."""


def placed(drawn: Sequence[Volume], airy: bool) -> tuple[Volume, ...]:
    maps = [volume for volume in drawn if not volume.flat]
    side = max((size for volume in maps for size in volume.shape[2:]), default=1)
    thickest = max((volume.shape[1] for volume in maps), default=1)
    longest = max((prod(volume.shape[1:]) for volume in drawn if volume.flat), default=1)
    thick = min(AIRY_THICKNESS if airy else DENSE_THICKNESS, THICKEST / sqrt(thickest))
    found: list[Volume] = []
    for volume in drawn:
        if volume.flat:
            length = LONGEST_BAR * sqrt(prod(volume.shape[1:]) / max(longest, LEAST_LONGEST))
            sized = replace(volume, height=max(LEAST_SIDE, length), thickness=BAR, depth=BAR)
        else:
            sides = [max(LEAST_SIDE, TALLEST * sqrt(size / side)) for size in volume.shape[2:]]
            high, wide = (sides[-2], sides[-1]) if len(sides) > 1 else (sides[-1], LEAST_SIDE)
            thickness = max(THINNEST, thick * sqrt(volume.shape[1]))
            sized = replace(volume, height=high, thickness=thickness, depth=wide)
        left = max(0.0, (label_width(sized, airy) - sized.thickness) / 2)
        found.append(_after(found[-1], sized, airy) if found else replace(sized, x=left))
    return tuple(found)


def _after(before: Volume, volume: Volume, airy: bool) -> Volume:
    """``volume`` as near to the one before as their labels and, where they differ, sides let it."""
    alike = before.size == volume.size and not before.flat
    if airy or volume.flat:
        x = before.right + GAP
    elif alike:
        x = before.x + before.thickness + 0.3 * GAP
    else:
        x = before.right - 0.35 * before.slant[0]
    # Labels stand under the middle of the front, and sizes over the box.
    half = label_width(volume, airy) / 2
    labels = before.middle + label_width(before, airy) / 2 + LETTER
    if airy and volume.bottom > before.bottom:  # beside its side, not below it
        labels = max(labels, before.right)
    x = max(x, labels + half - volume.thickness / 2)
    if volume.size and not alike:
        moved = replace(volume, x=x)
        gap = moved.top_middle - before.top_middle
        x += max(0.0, (len(before.size) + len(volume.size) + 1) * LETTER / 2 - gap)
    return replace(volume, x=x)


def label_width(volume: Volume, airy: bool) -> float:
    """Points that the widest label under a box takes."""
    lines = label_lines(volume) if airy else (volume.channels,)
    widest = max(map(span, lines), default=0)
    return max(widest, volume.thickness, 0 if airy else 1.6 * FONT)


def label_lines(volume: Volume) -> tuple[str, ...]:
    """What stands under a box where there is room: channels, what makes it, its cost and name."""
    lines = [""]
    for text in volume.operation.split(", "):
        joined = f"{lines[-1]}, {text}" if lines[-1] else text
        if len(joined) <= LONGEST_LINE:
            lines[-1] = joined
        else:
            lines.append(text)
    return (volume.channels, *filter(None, [*lines, volume.cost]), volume.name)


def span(text: str) -> float:
    """Points that ``text`` takes."""
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    return LETTER * (len(text) + wide)
