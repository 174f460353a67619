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
from archcost.ir.types import BITS, Shape, TensorType

LARGEST: Final = 2**31 - 1
"""Bound of every size: what fits the 32-bit dimensions of the frameworks."""
MOST_INTS: Final = 16
"""Most dimensions, or numbers for dimensions, that an argument names."""
MOST_PARTS: Final = 4096
"""Most parts that a dimension is believed to be cut into."""

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
Parts = tuple[int, ...]
"""Sizes of the parts that a dimension is cut into, each at least 1."""
Number = int | float
Fraction = float
"""A number from 0 to 1."""
DTypeName = str
FunctionName = str
"""One of :data:`FUNCTIONS`."""
UnaryName = str
"""One of :data:`UNARY`."""
BinaryName = str
"""One of :data:`BINARY`."""
ReductionName = str
"""One of :data:`REDUCTIONS`."""
Table = tuple[tuple[int, ...], ...]
"""Rows of indices, each at least 0."""
OperatorName = str
"""What others call an operator: up to 200 printable characters."""
Sizes = Shape
"""A shape; a size may be 0."""
Types = tuple[TensorType, ...]
"""One or more pairs of a shape and a dtype."""

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
    "log_sigmoid",
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

UNARY: Final = (
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log1p",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "negative",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "floor",
    "ceil",
    "round",
    "trunc",
    "sign",
    "not",
    "is_nan",
    "is_inf",
)
"""Other functions of one element; ``ops/arithmetic.py`` says what they do."""

BINARY: Final = (
    "difference",
    "quotient",
    "floor_quotient",
    "remainder",
    "power",
    "minimum",
    "atan2",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "and",
    "or",
    "xor",
)
"""Functions of two elements; ``ops/arithmetic.py`` says what they do."""

REDUCTIONS: Final = (
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "any",
    "all",
    "l1",
    "l2",
    "logsumexp",
    "var",
    "std",
    "argmax",
    "argmin",
)
"""What many elements are reduced to; ``ops/reduction.py`` says what that takes."""

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
_dtype_name = _choice(*BITS)


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
    if not isinstance(value, list | tuple) or not all(map(is_int, value)):
        raise Wrong("a list of integers")
    if len(value) > MOST_INTS:
        raise Wrong(f"a list of integers, {MOST_INTS} at the most")
    if any(abs(item) > LARGEST for item in value):
        raise Wrong(f"integers up to {LARGEST}")
    return tuple(value)


def _parts(value: Any) -> Parts:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_PARTS:
        raise Wrong(f"a list of sizes >= 1, {MOST_PARTS} at the most")
    return tuple(map(_count, value))


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


def _operator_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or not value.isprintable():
        raise Wrong("a name of 1 to 200 printable characters")
    return value


def _sizes(value: Any) -> Shape:
    if not isinstance(value, list | tuple) or len(value) > MOST_INTS:
        raise Wrong(f"a list of sizes >= 0, {MOST_INTS} at the most")
    return tuple(map(_natural, value))


def _types(value: Any) -> Types:
    expected = "a list of pairs of a shape and a dtype"
    if not isinstance(value, list | tuple) or not value:
        raise Wrong(expected)
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value):
        raise Wrong(expected)
    return tuple(TensorType(_sizes(shape), _dtype_name(dtype)) for shape, dtype in value)


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
    "Parts": _parts,
    "Number": _number,
    "Fraction": _fraction,
    "DTypeName": _dtype_name,
    "FunctionName": _choice(*FUNCTIONS),
    "UnaryName": _choice(*UNARY),
    "BinaryName": _choice(*BINARY),
    "ReductionName": _choice(*REDUCTIONS),
    "Table": _table,
    "OperatorName": _operator_name,
    "Sizes": _sizes,
    "Types": _types,
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
