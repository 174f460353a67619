"""Values as they are written."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Any, Final

from archcost.targets.torch_code.classes import Symbol
from archcost.targets.torch_code.templates import (
    ATOM,
    PRODUCT,
    SIGN,
)

NESTED: Final = 70
"""The longest expression that is written within another."""


def literal(value: Any) -> Symbol:
    """``value`` as it is written."""
    if isinstance(value, Symbol):
        return value
    if isinstance(value, tuple):
        inner = ", ".join(literal(part).text for part in value)
        return Symbol(f"({inner},)" if len(value) == 1 else f"({inner})")
    if isinstance(value, str):
        return Symbol('"' + repr(value)[1:-1].replace("\\'", "'").replace('"', '\\"') + '"')
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int) and value < 0:
        return Symbol(str(int(value)), SIGN)
    return Symbol(str(value))


def _float(value: float) -> Symbol:
    if not isfinite(value):
        return Symbol(f'float("{value}")')
    text = repr(value)
    if len(text) > 8:
        near = Fraction(value).limit_denominator(9999)
        if near and near.numerator / near.denominator == value:
            return Symbol(f"{near.numerator} / {near.denominator}", PRODUCT)
    return Symbol(text, SIGN if value < 0 else ATOM)


def bracketed(symbol: Symbol, tight: int) -> str:
    """Its text, in brackets if it holds together less than ``tight``."""
    return symbol.text if symbol.tight >= tight else f"({symbol.text})"
