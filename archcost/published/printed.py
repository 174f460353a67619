"""A printed number: its text, unit and precision."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction
from functools import cached_property
from math import prod
from operator import index
from typing import Final, Literal

from archcost.published.files import PublishedError

UNITS: Final[dict[str, Fraction]] = {
    "1": Fraction(1),
    "%": Fraction(1, 100),
    "k": Fraction(10**3),
    "Ki": Fraction(2**10),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "kB": Fraction(10**3),
    "KiB": Fraction(2**10),
    "MB": Fraction(10**6),
    "MiB": Fraction(2**20),
    "GB": Fraction(10**9),
}

# How papers write them. A lone B is a billion, not a byte.
_WRITTEN: Final[dict[str, str]] = {
    **{unit: unit for unit in UNITS if unit != "1"},
    "K": "k",
    "KB": "kB",
    "m": "M",
    "B": "G",
    "Bn": "G",
    "MOPs": "M",
    "million": "M",
    "billion": "G",
    "×10^6": "M",
    "×10^9": "G",
    "x10^9": "G",
}

_NUMBER: Final = re.compile(r"\D*?(\d[\d,]*(?:\.\d+)?)\s*(\S*)")
_PRODUCT: Final = re.compile(r"\d+(?:×\d+)+(?![\d^])")

# Words before a number that make it a bound: whether what they speak of lies above it.
_BOUNDS: Final = {">": True, "more than": True, "<": False, "less than": False}

Agreement = Literal["rounded", "cut off", "within the bound"]


@dataclass(frozen=True)
class Printed:
    """``text`` exactly as printed.

    ``unit`` is what the text, or the head of its column, says; ``digits`` says how many digits of
    the number count, from the front, where it ends in zeros that were hardly counted (11300 M);
    ``times`` multiplies the whole.

    Raises:
        PublishedError: no number in the text, no such unit, or ``digits`` below 1.
    """

    text: str
    unit: str | None = None
    digits: int | None = None
    times: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise PublishedError(f"no unit {self.unit!r}; there are {', '.join(UNITS)}")
        if self.digits is not None and index(self.digits) < 1:
            raise PublishedError(f"digits {self.digits} is no number of digits")
        if not _NUMBER.match(self.text):
            raise PublishedError(f"no number in {self.text!r:.80}")

    @cached_property
    def _parts(self) -> tuple[str, str]:
        if product := _PRODUCT.match(self.text):
            return str(prod(map(int, product[0].split("×")))), ""
        found = _NUMBER.match(self.text)
        assert found is not None
        return found[1], found[2]

    @property
    def number(self) -> str:
        """Its digits, comma and point; of a shape (``3×3×64``) the product."""
        return self._parts[0]

    @property
    def bare(self) -> bool:
        """Whether no unit stands behind its number."""
        return not self._parts[1]

    @property
    def above(self) -> bool | None:
        """Of a bound (``> 6 M``, ``less than 25 million``), whether it is a lower one."""
        return next((up for words, up in _BOUNDS.items() if self.text.startswith(words)), None)

    @property
    def binary(self) -> bool:
        """Whether its unit is one of powers of 1024."""
        return "i" in self.symbol

    @property
    def scale(self) -> Fraction:
        """What one unit of it is."""
        return self.times * self._unit

    @property
    def symbol(self) -> str:
        """Its unit, a key of :data:`UNITS`."""
        return self.unit or _WRITTEN.get(self._parts[1].rstrip(".,;:)"), "1")

    @property
    def _unit(self) -> Fraction:
        return UNITS[self.symbol]

    @property
    def value(self) -> Fraction:
        """The number in single units or bytes."""
        return Fraction(self.number.replace(",", "")) * self.scale

    @property
    def step(self) -> Fraction:
        """What one more in its last digit is, in single units or bytes."""
        return Fraction(self._step) * self.scale

    @property
    def _step(self) -> Decimal:
        number = Decimal(self.number.replace(",", ""))
        place = number.as_tuple().exponent
        if self.digits is not None:
            place = number.adjusted() - self.digits + 1
        assert isinstance(place, int)
        return Decimal(1).scaleb(place)

    def reading(self, number: str) -> Printed:
        """The same with another number: its unit and what counts of its digits stay."""
        return replace(self, text=self.text.replace(self.number, number))

    def scaled(self, by: Fraction) -> Printed:
        """The same, all of it multiplied by ``by``: its precision with it."""
        return replace(self, times=self.times * by)

    def agreement(self, value: Fraction | int) -> Agreement | None:
        """Whether ``value`` is this number at its precision, and how it comes to be.

        The precision is that of the last digit printed, or of the last of ``digits``. A bound
        agrees with what lies within it.
        """
        if self.above is not None:
            kept = value > self.value if self.above else value < self.value
            return "within the bound" if kept else None
        if self._at(value, ROUND_HALF_UP) or self._at(value, ROUND_HALF_EVEN):
            return "rounded"
        return "cut off" if self._at(value, ROUND_DOWN) else None

    def rounds_up(self, value: Fraction | int) -> bool:
        """Whether ``value``, rounded away from zero, is this number at its precision."""
        return self._at(value, ROUND_UP)

    def _at(self, value: Fraction | int, rounding: str) -> bool:
        steps = Fraction(value) / self.step
        # As many digits as it takes: a quotient that is no decimal number is never on the border.
        near = Decimal(steps.numerator) / Decimal(steps.denominator)
        return near.quantize(Decimal(1), rounding=rounding) == self.value / self.step
