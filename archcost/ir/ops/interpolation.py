"""What interpolating an element costs: shared by operators that read between the elements."""

from __future__ import annotations

from typing import Final

from archcost.ir.types import Work

CUBIC_WEIGHTS: Final = Work(mul=12, add=13)
"""The four weights of a cubic interpolation by a place's fraction t: polynomials of degree 3 of
1 + t, t, 1 - t and 2 - t (Keys 1981), of which the inner two have no linear term."""


def interpolated(mode: str, rank: int) -> Work:
    """One element interpolated in ``rank`` dimensions, one after the other, its weights given.

    ``nearest`` computes nothing. ``bilinear`` joins 2^rank neighbours in 2^rank - 1 times
    ``a + t * (b - a)``; ``bicubic`` 4^rank in (4^rank - 1) / 3 weighted sums of four.
    """
    match mode:
        case "bilinear":
            return Work(add=2, mul=1).times(2**rank - 1)
        case "bicubic":
            return Work(add=3, mul=4).times((4**rank - 1) // 3)
    return Work()
