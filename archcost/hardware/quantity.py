"""Quantities as device files write them: ``24 GiB``, ``units * clock * 256 FLOP/cycle``.

A quantity is a number with its unit, or products and quotients of such and of the names that its
reader gives, summed. It is computed in exact fractions, and its dimension is checked: what is said
to be bytes/s and comes out as bytes is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

LONGEST: Final = 300


class QuantityError(ValueError):
    """A text is no quantity, or one of another dimension."""


class Dimension(NamedTuple):
    """The powers of its parts; cycles, cores and transfers are pure numbers."""

    operations: int = 0
    bytes: int = 0
    seconds: int = 0
    watts: int = 0

    def __str__(self) -> str:
        names = {"operations": "FLOP", "bytes": "B", "seconds": "s", "watts": "W"}
        powers = [(names[key], power) for key, power in self._asdict().items() if power]
        above = "*".join(_power(name, power) for name, power in powers if power > 0)
        below = "/".join(_power(name, -power) for name, power in powers if power < 0)
        return f"{above or '1'}/{below}" if below else above or "a pure number"


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


class Quantity(NamedTuple):
    """A number in base units (FLOP, B, s, W) and its dimension."""

    number: Fraction
    dimension: Dimension


PURE: Final = Dimension()
OPERATIONS: Final = Dimension(operations=1)
BYTES: Final = Dimension(bytes=1)
SECONDS: Final = Dimension(seconds=1)
WATTS: Final = Dimension(watts=1)
RATE: Final = Dimension(seconds=-1)
SPEED: Final = Dimension(operations=1, seconds=-1)
BANDWIDTH: Final = Dimension(bytes=1, seconds=-1)

_BASES: Final = {
    "FLOP": Quantity(Fraction(1), OPERATIONS),
    "OP": Quantity(Fraction(1), OPERATIONS),
    "FLOPS": Quantity(Fraction(1), SPEED),
    "OPS": Quantity(Fraction(1), SPEED),
    "B": Quantity(Fraction(1), BYTES),
    "bit": Quantity(Fraction(1, 8), BYTES),
    "s": Quantity(Fraction(1), SECONDS),
    "W": Quantity(Fraction(1), WATTS),
    "Hz": Quantity(Fraction(1), RATE),
    "T": Quantity(Fraction(1), PURE),  # transfers: 19.5 GT/s
}
_PREFIXES: Final = {
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTP", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGT", start=1)},
    **dict(zip("mµun", map(Fraction, ("1e-3", "1e-6", "1e-6", "1e-9")), strict=True)),
}
_WORDS: Final = frozenset(
    {"cycle", "SM", "SMs", "core", "cores", "unit", "units", "channel", "channels"}
)
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?)"
    r"|(?P<name>[A-Za-zµ]+(?:/[A-Za-z]+)?)|(?P<sign>[-+*/]))\s*"
)


def quantity(
    text: str, dimension: Dimension, names: Mapping[str, Quantity] | None = None
) -> Fraction:
    """What ``text`` says, in base units; a number without a unit is in them already.

    Args:
        dimension: the dimension that it has to have.
        names: what names in it stand for.

    Raises:
        QuantityError: it is no quantity, or has another dimension.
    """
    if len(text) > LONGEST:
        raise QuantityError(f"{len(text)} characters; a quantity has at most {LONGEST}")
    tokens = _tokens(text)
    if len(tokens) == 1 and tokens[0][0] == "number":
        return Fraction(tokens[0][1])
    total: Quantity | None = None
    while True:
        term = _product(tokens, names or {})
        if total is not None and term.dimension != total.dimension:
            raise QuantityError(f"{total.dimension} and {term.dimension} cannot be added")
        total = Quantity(term.number + (total.number if total else 0), term.dimension)
        if not tokens:
            break
        _, sign = tokens.pop(0)  # _product stops at nothing else
        if sign != "+":
            raise QuantityError(f"expected *, / or +, found {sign!r}")
    if total.dimension != dimension:
        raise QuantityError(f"expected {_described(dimension)}, found {total.dimension}")
    return total.number


def is_formula(text: str) -> bool:
    """Whether a quantity is computed from several, or from names."""
    tokens = _tokens(text)
    return tokens[0][0] == "name" or any(kind == "sign" for kind, _ in tokens)


def as_fraction(number: float) -> Fraction:
    """The shortest decimal that reads as ``number``, not the binary fraction that it is."""
    return Fraction(repr(number))


def written(number: float, unit: str) -> str:
    """A quantity as a file has it: ``936.2 GB/s``; :func:`quantity` reads the same number.

    Bytes that are a whole number of KiB are written in these, or MiB or GiB.
    """
    if unit == "B":
        size = int(number)
        for prefix in ("Gi", "Mi", "Ki"):
            if size and size % int(_PREFIXES[prefix]) == 0:
                return f"{size // int(_PREFIXES[prefix])} {prefix}B"
        return f"{size} B"
    exact = Decimal(repr(number))
    power = exact.adjusted() // 3 if exact else 0
    prefixes = {-3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
    if power not in prefixes or (power < 0 and unit != "s"):
        return f"{number!r} {unit}"
    scaled = exact.scaleb(-3 * power)
    return f"{scaled.normalize():f} {prefixes[power]}{unit}"


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each number, name and sign."""
    found = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QuantityError(f"{text[place : place + 20]!r} is no number, unit or sign")
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        place = match.end()
    if not found:
        raise QuantityError("nothing is written there")
    return found


def _product(tokens: list[tuple[str, str]], names: Mapping[str, Quantity]) -> Quantity:
    """Factors up to the next ``+``, taken off ``tokens``."""
    result = _factor(tokens, names)
    while tokens and tokens[0][1] in ("*", "/"):
        _, sign = tokens.pop(0)
        factor = _factor(tokens, names)
        if sign == "/" and not factor.number:
            raise QuantityError("division by 0")
        result = _combined(result, factor, 1 if sign == "*" else -1)
    return result


def _factor(tokens: list[tuple[str, str]], names: Mapping[str, Quantity]) -> Quantity:
    """A number with its unit, if it has one, or a name."""
    kind, text = tokens.pop(0) if tokens else ("", "the end")
    if kind == "name":
        if text not in names:
            known = f" ({', '.join(names)})" if names else ""
            raise QuantityError(f"{text!r} is no name{known}; a unit stands behind its number")
        return names[text]
    if kind != "number":
        raise QuantityError(f"expected a number, found {text!r}")
    number = Quantity(Fraction(text), PURE)
    if tokens and tokens[0][0] == "name":
        return _combined(number, _unit(tokens.pop(0)[1]), 1)
    return number


def _unit(text: str) -> Quantity:
    """``GB/s``, ``FLOP/cycle``, ``cores``."""
    above, slash, below = text.partition("/")
    result = _simple_unit(above, text)
    return _combined(result, _simple_unit(below, text), -1) if slash else result


def _simple_unit(text: str, whole: str) -> Quantity:
    if text in _WORDS:
        return Quantity(Fraction(1), PURE)
    for base, its in _BASES.items():
        prefix = text.removesuffix(base)
        if text == base:
            return its
        if prefix != text and prefix in _PREFIXES:
            return Quantity(its.number * _PREFIXES[prefix], its.dimension)
    raise QuantityError(f"no unit {whole!r:.40}; there are {', '.join(_BASES)}, with k, M, G, T")


def _combined(first: Quantity, second: Quantity, power: int) -> Quantity:
    """``first`` times ``second`` to the ``power`` 1 or -1."""
    number = first.number * second.number if power == 1 else first.number / second.number
    pairs = zip(first.dimension, second.dimension, strict=True)
    return Quantity(number, Dimension(*(a + power * b for a, b in pairs)))


def _described(dimension: Dimension) -> str:
    examples = {
        PURE: "a pure number",
        BYTES: "bytes, like 24 GiB",
        SECONDS: "seconds, like 5 us",
        WATTS: "watts, like 350 W",
        RATE: "a clock, like 1695 MHz",
        SPEED: "FLOP/s, like 35.6 TFLOP/s",
        BANDWIDTH: "bytes/s, like 936 GB/s",
    }
    return examples.get(dimension, str(dimension))
