"""What an operator's arguments may be: one checker for each annotation used in ``ir/ops``.

An operator declares its arguments as dataclass fields annotated with the names below
(``kernel: Size``). :class:`archcost.ir.Op` checks each field with the checker of that name when an
operator is made, whoever makes it, so every source gives the same errors and gets the same
canonical values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from archcost.ir.errors import ArgumentError
from archcost.ir.types import BITS

LARGEST: Final = 2**31 - 1
"""Bound of every size: what fits the 32-bit dimensions of the frameworks."""

Size = int | tuple[int, ...]
"""At least 1; one number for all spatial dimensions, or one for each."""
Padding = int | tuple[int | tuple[int, int], ...] | Literal["same"]
"""Elements added around each spatial dimension: one number, one for each dimension, or one pair
(before, after) for each; ``same`` makes the output ceil(input / stride), the odd element behind."""
Rounding = Literal["floor", "ceil"]
"""How a window count that is not whole is rounded: Caffe's pools round up, PyTorch's down."""
Count = int
"""An integer, at least 1."""
Natural = int
"""An integer, at least 0."""
Dim = int
"""Index of a dimension; negative ones count from the end."""
Index = int
"""Any integer; negative ones count from the end, as in a Python slice."""
Offset = int | tuple[int, ...]
"""At least 0; one number for all spatial dimensions, or one for each."""
Ints = tuple[int, ...]
Number = int | float
Fraction = float
"""A number from 0 to 1."""
DTypeName = str
FunctionName = str
"""One of :data:`FUNCTIONS`."""
Table = tuple[tuple[int, ...], ...]
"""Rows of indices, each at least 0."""

FUNCTIONS: Final = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "sigmoid",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "tanh",
    "scaled_tanh",
    "softplus",
    "softsign",
    "square",
    "abs",
)
"""The activations that are functions of one element each; ``ops/activation.py`` has formulas."""

Checker = Callable[[Any], Any]


class Wrong(Exception):
    """Raised by a checker with what it expected."""


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(low: int, what: str) -> Checker:
    def check(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not is_int(value) or value < low:
            raise Wrong(what)
        if value > LARGEST:
            raise Wrong(f"{what}, up to {LARGEST}")
        return int(value)

    return check


def _choice(*names: str) -> Checker:
    def check(value: Any) -> str:
        if value not in names:
            raise Wrong("one of " + ", ".join(names))
        return str(value)

    return check


_count = _int(1, "an integer >= 1")
_natural = _int(0, "an integer >= 0")
_dim = _int(-8, "a dimension's index")
_index = _int(-LARGEST, "an integer")


def _uniform(values: tuple[Any, ...]) -> Any:
    """``(3, 3)`` -> ``3``: the same operator has one spelling, whoever wrote it."""
    return values[0] if len(set(values)) == 1 else values


def _size(value: Any) -> Size:
    if isinstance(value, list | tuple):
        if not 1 <= len(value) <= 3:
            raise Wrong("an integer >= 1, or one for each of 1 to 3 spatial dimensions")
        return _uniform(tuple(map(_count, value)))  # type: ignore[no-any-return]
    return _count(value)  # type: ignore[no-any-return]


def _offset(value: Any) -> Offset:
    if isinstance(value, list | tuple):
        if not 1 <= len(value) <= 3:
            raise Wrong("an integer >= 0, or one for each of 1 to 3 spatial dimensions")
        return _uniform(tuple(map(_natural, value)))  # type: ignore[no-any-return]
    return _natural(value)  # type: ignore[no-any-return]


def _padding(value: Any) -> Padding:
    expected = "an integer >= 0, one (or a pair before, after) for each spatial dimension, or same"
    if value == "same":
        return "same"
    if not isinstance(value, list | tuple):
        try:
            return _natural(value)  # type: ignore[no-any-return]
        except Wrong:
            raise Wrong(expected) from None
    sides: list[int | tuple[int, int]] = []
    for item in value:
        pair = tuple(item) if isinstance(item, list | tuple) else (item, item)
        if len(pair) != 2:
            raise Wrong(expected)
        before, after = map(_natural, pair)
        sides.append(before if before == after else (before, after))
    if not 1 <= len(sides) <= 3:
        raise Wrong(expected)
    first = sides[0]
    return first if isinstance(first, int) and set(sides) == {first} else tuple(sides)


def _ints(value: Any) -> Ints:
    if not isinstance(value, list | tuple) or not all(map(is_int, value)) or len(value) > 16:
        raise Wrong("a list of integers")
    if any(abs(item) > LARGEST for item in value):
        raise Wrong(f"integers up to {LARGEST}")
    return tuple(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def _number(value: Any) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Wrong("a number")
    return value


def _fraction(value: Any) -> Fraction:
    if not 0 <= _number(value) <= 1:
        raise Wrong("a number from 0 to 1")
    return float(value)


def _table(value: Any) -> Table:
    expected = "a list of lists of indices >= 0"
    if not isinstance(value, list | tuple) or not value:
        raise Wrong(expected)
    for row in value:
        if not isinstance(row, list | tuple) or not row:
            raise Wrong(expected)
    return tuple(tuple(map(_natural, row)) for row in value)


CHECKERS: Final[dict[str, Checker]] = {
    "Size": _size,
    "Padding": _padding,
    "Rounding": _choice("floor", "ceil"),
    "Count": _count,
    "Natural": _natural,
    "Dim": _dim,
    "Index": _index,
    "Offset": _offset,
    "Ints": _ints,
    "Number": _number,
    "Fraction": _fraction,
    "DTypeName": _choice(*BITS),
    "FunctionName": _choice(*FUNCTIONS),
    "Table": _table,
    "bool": _bool,
}


def check(argument: str, annotation: str, value: Any) -> Any:
    """The canonical form of ``value`` for an argument annotated ``annotation``.

    Raises:
        ArgumentError: saying what was found and what is expected.
    """
    kind = annotation.removesuffix(" | None")
    if value is None and kind != annotation:
        return None
    if kind.startswith("Literal["):
        checker = _choice(*(name.strip().strip("\"'") for name in kind[8:-1].split(",")))
    else:
        checker = CHECKERS[kind]
    try:
        return checker(value)
    except Wrong as wrong:
        shown = repr(list(value) if isinstance(value, tuple) else value)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        raise ArgumentError(argument, f"expected {wrong}, found {shown}") from None
