"""Arithmetic on the elements of one, two or three tensors, of any shape and dtype.

Counts are those of formulas written out, as for the activations: constants are folded, sign
changes are free. Dtypes follow PyTorch: what is computed of several is promoted, a function whose
results are no integers gives fp32 for integers, a test gives bool.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final, Literal, NamedTuple

from archcost.ir.arguments import BinaryName, DTypeName, Number, UnaryName
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Saved, operator
from archcost.ir.ops.dimensions import broadcast, floating, promoted
from archcost.ir.types import FLOATS, INTEGERS, TensorType, Work


class Function(NamedTuple):
    """What a function of one element does.

    ``work`` is for one element. ``keeps`` is what PyTorch's derivative asks for
    (derivatives.yaml). ``gives`` says the dtype of the result: the input's (``same``), the input's
    with integers and booleans as fp32 (``float``), or ``bool``.
    """

    work: Work
    keeps: Literal["inputs", "outputs", "nothing"]
    gives: Literal["same", "float", "bool"] = "float"


UNARY_FUNCTIONS: Final[dict[str, Function]] = {
    "exp": Function(Work(exp=1), "outputs"),
    "exp2": Function(Work(exp=1), "outputs"),
    # exp(x) - 1
    "expm1": Function(Work(exp=1, add=1), "outputs"),
    "log": Function(Work(log=1), "inputs"),
    "log2": Function(Work(log=1), "inputs"),
    # log(1 + x)
    "log1p": Function(Work(add=1, log=1), "inputs"),
    "sqrt": Function(Work(sqrt=1), "outputs"),
    # 1 / sqrt(x)
    "rsqrt": Function(Work(sqrt=1, div=1), "outputs"),
    # 1 / x
    "reciprocal": Function(Work(div=1), "outputs"),
    "negative": Function(Work(), "nothing", "same"),
    "sin": Function(Work(trig=1), "inputs"),
    "cos": Function(Work(trig=1), "inputs"),
    "tan": Function(Work(trig=1), "outputs"),
    "asin": Function(Work(trig=1), "inputs"),
    "acos": Function(Work(trig=1), "inputs"),
    "atan": Function(Work(trig=1), "inputs"),
    # (e - 1 / e) * 0.5, e = exp(x)
    "sinh": Function(Work(exp=1, div=1, add=1, mul=1), "inputs"),
    # (e + 1 / e) * 0.5, e = exp(x)
    "cosh": Function(Work(exp=1, div=1, add=1, mul=1), "inputs"),
    # log(x + sqrt(x * x + 1))
    "asinh": Function(Work(mul=1, add=2, sqrt=1, log=1), "inputs"),
    # log(x + sqrt(x * x - 1))
    "acosh": Function(Work(mul=1, add=2, sqrt=1, log=1), "inputs"),
    # 0.5 * log((1 + x) / (1 - x))
    "atanh": Function(Work(add=2, div=1, log=1, mul=1), "inputs"),
    "erf": Function(Work(erf=1), "inputs"),
    "floor": Function(Work(cmp=1), "nothing", "same"),
    "ceil": Function(Work(cmp=1), "nothing", "same"),
    "round": Function(Work(cmp=1), "nothing", "same"),
    "trunc": Function(Work(cmp=1), "nothing", "same"),
    "sign": Function(Work(cmp=1), "nothing", "same"),
    "not": Function(Work(cmp=1), "nothing", "bool"),
    "is_nan": Function(Work(cmp=1), "nothing", "bool"),
    "is_inf": Function(Work(cmp=1), "nothing", "bool"),
}
"""function -> what it does to one element, the formula above it where the name does not say it."""


@operator
class Unary(Op):
    """The function of its name, element by element, on a tensor of any shape.

    An instance's ``kind`` is its function, one of :data:`UNARY_FUNCTIONS`. ``not`` is the logical
    one, of any dtype. The output has the input's dtype; functions like ``exp`` give fp32 for
    integers and booleans, ``not``, ``is_nan`` and ``is_inf`` give bool.
    """

    kind: ClassVar[str] = "unary"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    named_by: ClassVar[str | None] = "function"

    function: UnaryName

    def __post_init__(self) -> None:
        super().__post_init__()
        what = UNARY_FUNCTIONS[self.function]
        object.__setattr__(self, "kind", self.function)
        object.__setattr__(self, "keeps", what.keeps)
        object.__setattr__(self, "inplace", what.gives != "bool")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        match UNARY_FUNCTIONS[self.function].gives:
            case "same":
                return inputs
            case "float":
                return (TensorType(x.shape, floating(x.dtype)),)
            case "bool":
                return (TensorType(x.shape, "bool"),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return UNARY_FUNCTIONS[self.function].work.times(inputs[0].numel)


class Pairing(NamedTuple):
    """What a function of two elements does.

    ``work`` is for one pair. ``keeps`` is what PyTorch's derivative asks for, of two tensors;
    ``keeps_one`` the same where the second operand is a constant. ``gives`` says the dtype of the
    result: the promoted one of both (``same``), that with integers and booleans as fp32
    (``float``), ``bool``, or (``logical``) bool but for integers, which keep theirs.
    """

    work: Work
    keeps: Saved = Saved()
    keeps_one: Saved = Saved()
    gives: Literal["same", "float", "bool", "logical"] = "same"
    inplace: bool = False
    commutes: bool = False


_BOTH: Final = Saved(inputs=True)
_TEST: Final = Pairing(Work(cmp=1), gives="bool")
_LOGIC: Final = Pairing(Work(cmp=1), gives="logical", inplace=True, commutes=True)

BINARY_FUNCTIONS: Final[dict[str, Pairing]] = {
    "difference": Pairing(Work(add=1), inplace=True),
    "quotient": Pairing(Work(div=1), _BOTH, gives="float", inplace=True),
    # floor(a / b)
    "floor_quotient": Pairing(Work(div=1, cmp=1), inplace=True),
    # a - b * floor(a / b)
    "remainder": Pairing(Work(div=1, cmp=1, mul=1, add=1), _BOTH, inplace=True),
    "power": Pairing(
        Work(pow=1), Saved(inputs=True, outputs=True), Saved(inputs=True), inplace=True
    ),
    "minimum": Pairing(Work(cmp=1), _BOTH, _BOTH, commutes=True),
    "atan2": Pairing(Work(trig=1), _BOTH, _BOTH, gives="float", inplace=True),
    "equal": _TEST._replace(commutes=True),
    "not_equal": _TEST._replace(commutes=True),
    "less": _TEST,
    "less_equal": _TEST,
    "greater": _TEST,
    "greater_equal": _TEST,
    "and": _LOGIC,
    "or": _LOGIC,
    "xor": _LOGIC,
}
"""function -> what it does to one pair, the formula above it where the name does not say it."""

POWERS: Final[dict[float, Work]] = {
    0: Work(),
    1: Work(),
    2: Work(mul=1),
    3: Work(mul=2),
    -1: Work(div=1),
    -2: Work(mul=1, div=1),
    0.5: Work(sqrt=1),
    -0.5: Work(sqrt=1, div=1),
}
"""Constant exponents that take no ``pow``: those that PyTorch's kernel treats apart."""


@operator
class Binary(Op):
    """The function of its name, of two tensors or of one and a constant, on any shape.

    Of two inputs shapes are broadcast and dtypes promoted by PyTorch's rules. With ``scalar``
    there is one input, and the constant is the second operand, or the first one if ``reverse``.
    An instance's ``kind`` is its function, one of :data:`BINARY_FUNCTIONS`. Comparisons give bool,
    and so do ``and``, ``or`` and ``xor``, except of integers, of which they are taken bit by bit;
    ``quotient`` and ``atan2`` of integers are fp32.
    """

    kind: ClassVar[str] = "binary"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    named_by: ClassVar[str | None] = "function"
    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    function: BinaryName
    scalar: Number | None = None
    reverse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        what = BINARY_FUNCTIONS[self.function]
        if self.reverse and self.scalar is None:
            raise ArgumentError("reverse", "needs a scalar to be the first operand")
        if what.commutes:
            object.__setattr__(self, "reverse", False)
        object.__setattr__(self, "kind", self.function)
        object.__setattr__(self, "inplace", what.inplace)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        if (self.scalar is None) == (len(inputs) == 1):
            raise ShapeError(f"{self.kind} needs either two inputs or one and a scalar")
        shape = broadcast(self.kind, [x.shape for x in inputs])
        dtype = promoted(inputs) if self.scalar is None else with_scalar(inputs[0], self.scalar)
        match BINARY_FUNCTIONS[self.function].gives:
            case "float":
                dtype = floating(dtype)
            case "bool":
                dtype = "bool"
            case "logical":
                dtype = dtype if dtype in INTEGERS else "bool"
        return (TensorType(shape, dtype),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        work = BINARY_FUNCTIONS[self.function].work
        if self.function == "power" and self.scalar is not None and not self.reverse:
            work = POWERS.get(self.scalar, work)
        return work.times(outputs[0].numel)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        what = BINARY_FUNCTIONS[self.function]
        if len(inputs) == 2:
            return what.keeps
        if self.reverse and self.function == "quotient":
            # PyTorch multiplies the reciprocal by the constant, and keeps the former.
            return Saved(extra=outputs[0].nbytes)
        if self.reverse and self.function == "power":
            return what.keeps
        return what.keeps_one


@operator
class Clamp(Op):
    """y = min(max(x, low), high), on a tensor of any shape; a bound of None is left out."""

    kind: ClassVar[str] = "clamp"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    low: Number | None = None
    high: Number | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self._bounds():
            raise ArgumentError("low", "expected this, high, or both")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dtype = x.dtype
        for bound in self._bounds():
            dtype = with_scalar(TensorType(x.shape, dtype), bound)
        return (TensorType(x.shape, dtype),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(cmp=len(self._bounds())).times(inputs[0].numel)

    def _bounds(self) -> list[Number]:
        return [bound for bound in (self.low, self.high) if bound is not None]


@operator
class Where(Op):
    """Inputs (condition, a, b): a where the condition holds, b elsewhere.

    The condition is bool; the three shapes are broadcast, the dtypes of a and b promoted. It only
    chooses: no work.
    """

    kind: ClassVar[str] = "where"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        condition, *values = inputs
        _mask(self.kind, condition)
        shape = broadcast(self.kind, [x.shape for x in inputs])
        return (TensorType(shape, promoted(values)),)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=(0,))


@operator
class MaskedFill(Op):
    """Inputs (x, mask): ``value`` where the mask is true, x elsewhere.

    The mask is bool; both shapes are broadcast. The output has the dtype of x. No work.
    """

    kind: ClassVar[str] = "masked_fill"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    value: Number = 0

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, mask = inputs
        _mask(self.kind, mask)
        return (x.with_shape(broadcast(self.kind, [x.shape, mask.shape])),)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=(1,))


@operator
class Cast(Op):
    """The same elements in another ``dtype``, on a tensor of any shape: a copy, no work."""

    kind: ClassVar[str] = "cast"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    dtype: DTypeName

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return (TensorType(inputs[0].shape, self.dtype),)

    def with_dtype(self, dtype: str) -> Cast:
        return replace(self, dtype=dtype) if self.dtype in FLOATS else self


def with_scalar(x: TensorType, scalar: Number) -> str:
    """The dtype of ``x`` and a constant: the constant widens it to another category alone."""
    number = TensorType((), "fp32" if isinstance(scalar, float) else "int64")
    # Any constant yields to a tensor, one without dimensions too.
    return promoted((TensorType((1,), x.dtype), number))


def _mask(kind: str, type_: TensorType) -> None:
    if type_.dtype != "bool":
        raise ShapeError(f"{kind} needs a mask of bool, has {type_.dtype}")
