"""Rules for what works element by element: arithmetic, comparisons, activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from archcost.sources.torch.rules import Operand, Rule, Scalar, Slots, number, rule

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace


def _operands(t: Trace, *tensors: Tensor | Slot) -> list[Slot]:
    """Inputs of arithmetic that gives the type that torch gave: whole numbers become floats, and
    truth values numbers, where the result is one."""
    wanted = t.type_of(t.outs[0]).dtype
    slots = [x if not isinstance(x, Tensor) else t.slot(x) for x in tensors]
    if wanted != "bool" and not any(slot.type.dtype == wanted for slot in slots):
        slots[0] = t.cast(slots[0], wanted)
    return slots


def _tensors_first(a: Operand, b: Operand) -> tuple[Tensor, Operand, bool]:
    """The operands with a tensor in front, and whether they have changed places."""
    if isinstance(a, Tensor):
        return a, b, False
    if isinstance(b, Tensor):
        return b, a, True
    raise TypeError("numbers of Python alone")


@rule("add")
def _add(t: Trace, self: Operand, other: Operand, *, alpha: Any = 1) -> Slots:
    x, y, _ = _tensors_first(self, other)
    if isinstance(y, Tensor):
        a, b = _operands(t, x, y)
        return t.apply("sum", [a, t.scaled(b, alpha)])
    return t.apply("rescale", _operands(t, x), shift=number(y) * number(alpha))


@rule("sub")
def _subtract(t: Trace, self: Operand, other: Operand, *, alpha: Any = 1) -> Slots:
    x, y, swapped = _tensors_first(self, other)
    if isinstance(y, Tensor):
        a, b = _operands(t, x, y)
        return t.apply("difference", [a, t.scaled(b, alpha)])
    if swapped:
        return t.apply("rescale", _operands(t, x), scale=-1, shift=number(y))
    return t.apply("rescale", _operands(t, x), shift=-number(y) * number(alpha))


@rule("rsub")
def _reversed_subtract(t: Trace, self: Operand, other: Operand, alpha: Any = 1) -> Slots:
    if alpha != 1:
        return None
    return _subtract(t, other, self)


@rule("mul")
def _multiply(t: Trace, self: Operand, other: Operand) -> Slots:
    x, y, _ = _tensors_first(self, other)
    if isinstance(y, Tensor):
        return t.apply("product", _operands(t, x, y))
    return t.apply("rescale", _operands(t, x), scale=number(y))


@rule("div")
def _divide(t: Trace, self: Operand, other: Operand, *, rounding_mode: str | None = None) -> Slots:
    if rounding_mode == "floor":
        return _binary(t, "floor_quotient", self, other)
    if rounding_mode is None:
        return _binary(t, "quotient", self, other)
    (whole,) = t.apply("trunc", _quotient(t, self, other))
    return [t.cast(whole, t.type_of(t.outs[0]).dtype)]


def _quotient(t: Trace, self: Operand, other: Operand) -> Sequence[Slot]:
    """The quotient before it is rounded: of integers a fraction."""
    x, y, swapped = _tensors_first(self, other)
    if isinstance(y, Tensor):
        return t.apply("quotient", [x, y])
    return t.apply("quotient", [x], scalar=number(y), reverse=swapped)


@rule("fmod")
def _fmod(t: Trace, self: Tensor, other: Operand) -> Slots:
    """a - b * trunc(a / b), of fractions."""
    if not self.is_floating_point():
        return None
    (whole,) = t.apply("trunc", _quotient(t, self, other))
    if isinstance(other, Tensor):
        (product,) = t.apply("product", [whole, other])
    else:
        (product,) = t.apply("rescale", [whole], scale=number(other))
    return t.apply("difference", [self, product])


def _binary(t: Trace, kind: str, self: Operand, other: Operand) -> Slots:
    x, y, swapped = _tensors_first(self, other)
    compares = t.outs[0].dtype == torch.bool
    tensors = [x, y] if isinstance(y, Tensor) else [x]
    inputs = [t.slot(each) for each in tensors] if compares else _operands(t, *tensors)
    if isinstance(y, Tensor):
        return t.apply(kind, inputs)
    return t.apply(kind, inputs, scalar=number(y), reverse=swapped)


def _binary_rule(kind: str) -> Rule:
    def binary(t: Trace, self: Operand, other: Operand) -> Slots:
        return _binary(t, kind, self, other)

    return binary


for _kind, _names in {
    "floor_quotient": ("floor_divide",),
    "remainder": ("remainder",),
    "atan2": ("atan2",),
    "equal": ("eq",),
    "not_equal": ("ne",),
    "less": ("lt",),
    "less_equal": ("le",),
    "greater": ("gt",),
    "greater_equal": ("ge",),
    "and": ("logical_and", "bitwise_and"),
    "or": ("logical_or", "bitwise_or"),
    "xor": ("logical_xor", "bitwise_xor"),
}.items():
    rule(*_names)(_binary_rule(_kind))


@rule("maximum", "max.other", "fmax")
def _maximum(t: Trace, self: Tensor, other: Tensor) -> Slots:
    return t.apply("maximum", [self, other])


@rule("minimum", "min.other", "fmin")
def _minimum(t: Trace, self: Tensor, other: Tensor) -> Slots:
    return t.apply("minimum", [self, other])


POWERS: Final = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
"""exponent -> the operator that does no more."""


@rule("pow")
def _power(t: Trace, self: Operand, exponent: Operand) -> Slots:
    if isinstance(self, Tensor) and not isinstance(exponent, Tensor):
        kind = POWERS.get(number(exponent))
        if exponent == 1:
            return t.apply("copy", _operands(t, self))
        if kind is not None and t.outs[0].is_floating_point():
            return t.apply(kind, _operands(t, self))
    return _binary(t, "power", self, exponent)


@rule("clamp")
def _clamp(t: Trace, self: Tensor, min: Any = None, max: Any = None) -> Slots:
    x = t.slot(self)
    for kind, bound in (("maximum", min), ("minimum", max)):
        if isinstance(bound, Tensor):
            (x,) = t.apply(kind, [x, bound])
    low, high = (None if isinstance(b, Tensor) or b is None else number(b) for b in (min, max))
    if low is None and high is None:
        return [x]
    (x,) = _operands(t, x)
    return t.apply("clamp", [x], low=low, high=high)


@rule("clamp_min")
def _clamp_min(t: Trace, self: Tensor, min: Any) -> Slots:
    return _clamp(t, self, min)


@rule("clamp_max")
def _clamp_max(t: Trace, self: Tensor, max: Any) -> Slots:
    return _clamp(t, self, None, max)


@rule("hardtanh")
def _hard_tanh(t: Trace, self: Tensor, min_val: Scalar = -1, max_val: Scalar = 1) -> Slots:
    if (min_val, max_val) == (0, 6):
        return t.apply("relu6", [self])
    if (min_val, max_val) == (-1, 1):
        return t.apply("hard_tanh", [self])
    return t.apply("clamp", [self], low=number(min_val), high=number(max_val))


def _unary_rule(kind: str, **arguments: Any) -> Rule:
    def unary(t: Trace, self: Tensor) -> Slots:
        return t.apply(kind, _operands(t, self), **arguments)

    return unary


for _kind, _names in {
    **{
        name: (name,)
        for name in (
            *("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "reciprocal"),
            *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh"),
            *("asinh", "acosh", "atanh", "erf", "floor", "ceil", "sign"),
            *("relu", "relu6", "selu", "silu", "mish", "sigmoid", "tanh"),
        )
    },
    "negative": ("neg",),
    "hard_sigmoid": ("hardsigmoid",),
    "hard_swish": ("hardswish",),
    "log_sigmoid": ("log_sigmoid",),
    "trunc": ("trunc",),
}.items():
    rule(*_names)(_unary_rule(_kind))


@rule("sgn")
def _sgn(t: Trace, self: Tensor) -> Slots:
    return None if self.is_complex() else t.apply("sign", [self])


@rule("round")
def _round(t: Trace, self: Tensor, *, decimals: int = 0) -> Slots:
    if not decimals:
        return t.apply("round", [self])
    (y,) = t.apply("round", [t.scaled(t.slot(self), 10**decimals)])
    return [t.scaled(y, 10**-decimals)]


@rule("logical_not")
def _not(t: Trace, self: Tensor) -> Slots:
    return t.apply("not", [self])


@rule("bitwise_not")
def _bitwise_not(t: Trace, self: Tensor) -> Slots:
    """Of an integer x it is -x - 1."""
    if self.dtype == torch.bool:
        return t.apply("not", [self])
    return t.apply("rescale", [self], scale=-1, shift=-1)


@rule("isnan")
def _is_nan(t: Trace, self: Tensor) -> Slots:
    return t.apply("is_nan", [self])


@rule("isinf")
def _is_inf(t: Trace, self: Tensor) -> Slots:
    return t.apply("is_inf", [self])


@rule("isfinite")
def _is_finite(t: Trace, self: Tensor) -> Slots:
    """No number that is none is less than another."""
    return t.apply("less", t.apply("abs", [self]), scalar=float("inf"))


@rule("abs")
def _abs(t: Trace, self: Tensor) -> Slots:
    """max(x, -x), of integers too."""
    if self.is_floating_point():
        return t.apply("abs", [self])
    if self.is_complex():
        return t.apply("reduce_l2", t.apply("as_real", [self]), dims=(-1,))
    return t.apply("maximum", [self, *t.apply("negative", [self])])


@rule("square")
def _square(t: Trace, self: Tensor) -> Slots:
    return _power(t, self, 2)


@rule("gelu")
def _gelu(t: Trace, self: Tensor, *, approximate: str = "none") -> Slots:
    return t.apply("gelu" if approximate == "none" else "gelu_tanh", [self])


@rule("leaky_relu")
def _leaky_relu(t: Trace, self: Tensor, negative_slope: Scalar = 0.01) -> Slots:
    return t.apply("leaky_relu", [self], slope=number(negative_slope))


@rule("rrelu")
def _random_relu(
    t: Trace, self: Tensor, lower: Any = 1 / 8, upper: Any = 1 / 3, *_: Any, **__: Any
) -> Slots:
    return t.apply("leaky_relu", [self], slope=(number(lower) + number(upper)) / 2)


@rule("elu")
def _elu(
    t: Trace, self: Tensor, alpha: Scalar = 1, scale: Scalar = 1, input_scale: Scalar = 1
) -> Slots:
    if (scale, input_scale) != (1, 1):
        return None
    return t.apply("elu", [self], slope=number(alpha))


@rule("celu")
def _celu(t: Trace, self: Tensor, alpha: Scalar = 1.0) -> Slots:
    return t.apply("celu", [self], slope=number(alpha))


@rule("softplus")
def _softplus(t: Trace, self: Tensor, beta: Scalar = 1, threshold: Scalar = 20) -> Slots:
    x = t.scaled(t.slot(self), beta)
    (y,) = t.apply("softplus", [x])
    return [t.scaled(y, 1 / number(beta))]


@rule("threshold")
def _threshold(t: Trace, self: Tensor, threshold: Scalar, value: Scalar) -> Slots:
    """Where x is not above the threshold the value, else x."""
    below = t.apply("less_equal", [self], scalar=number(threshold))
    return t.apply("masked_fill", [self, *below], value=number(value))


@rule("hardshrink")
def _hard_shrink(t: Trace, self: Tensor, lambd: Scalar = 0.5) -> Slots:
    """0 where x is not farther from it than lambda, else x."""
    near = t.apply("less_equal", t.apply("abs", [self]), scalar=number(lambd))
    return t.apply("masked_fill", [self, *near])


@rule("softshrink")
def _soft_shrink(t: Trace, self: Tensor, lambd: Scalar = 0.5) -> Slots:
    """x less as much of it as lambda allows."""
    near = t.apply("clamp", [self], low=-number(lambd), high=number(lambd))
    return t.apply("difference", [self, *near])


@rule("prelu")
def _prelu(t: Trace, self: Tensor, weight: Tensor) -> Slots:
    own = t.parameter(weight)
    if own is None:
        return None
    return t.apply("prelu", [self], share={"weight": own}, shared=weight.numel() == 1)


@rule("glu")
def _glu(t: Trace, self: Tensor, dim: int = -1) -> Slots:
    a, b = t.apply("split", [self], parts=2, dim=dim)
    return t.apply("product", [a, *t.apply("sigmoid", [b])])


@rule("softmax", "_softmax")
def _softmax(t: Trace, self: Tensor, dim: int, *_: Any, **__: Any) -> Slots:
    return t.apply("softmax", [t.cast(t.slot(self), t.type_of(t.outs[0]).dtype)], dim=dim)


@rule("log_softmax", "_log_softmax")
def _log_softmax(t: Trace, self: Tensor, dim: int, *_: Any, **__: Any) -> Slots:
    return t.apply("log_softmax", [t.cast(t.slot(self), t.type_of(t.outs[0]).dtype)], dim=dim)


@rule("dropout", "alpha_dropout")
def _dropout(t: Trace, input: Tensor, p: float, train: bool) -> Slots:
    return t.apply("dropout", [input], rate=float(p))


@rule("native_dropout")
def _native_dropout(t: Trace, input: Tensor, p: float, train: bool | None) -> Slots:
    return [*t.apply("dropout", [input], rate=float(p)), *t.constants(t.outs[1:])]


@rule("feature_dropout", "feature_alpha_dropout")
def _feature_dropout(t: Trace, input: Tensor, p: float, train: bool) -> Slots:
    per = "channel" if input.dim() > 2 else "element"
    return t.apply("dropout", [input], rate=float(p), per=per)


@rule("masked_fill")
def _masked_fill(t: Trace, self: Tensor, mask: Tensor, value: Operand) -> Slots:
    if isinstance(value, Tensor):
        new = t.cast(t.slot(value), t.type_of(self).dtype)
        return t.apply("where", [mask, new, self])
    return t.apply("masked_fill", [self, mask], value=number(value))


@rule("lerp")
def _lerp(t: Trace, self: Tensor, end: Tensor, weight: Operand) -> Slots:
    (difference,) = t.apply("difference", [end, self])
    if isinstance(weight, Tensor):
        (part,) = t.apply("product", [difference, weight])
    else:
        part = t.scaled(difference, weight)
    return t.apply("sum", [self, part])


@rule("addcmul")
def _add_product(
    t: Trace, self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1
) -> Slots:
    (product,) = t.apply("product", [tensor1, tensor2])
    return t.apply("sum", [self, t.scaled(product, value)])


@rule("addcdiv")
def _add_quotient(
    t: Trace, self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1
) -> Slots:
    (quotient,) = t.apply("quotient", [tensor1, tensor2])
    return t.apply("sum", [self, t.scaled(quotient, value)])


@rule("mse_loss")
def _squared_error(t: Trace, self: Tensor, target: Tensor, reduction: int = 1) -> Slots:
    slots = t.apply("square", t.apply("difference", [self, target]))
    kind = (None, "reduce_mean", "reduce_sum")[reduction]
    return slots if kind is None else t.apply(kind, slots)


@rule("polar")
def _polar(t: Trace, abs: Tensor, angle: Tensor) -> Slots:
    """r * cos(a) and r * sin(a), side by side."""
    parts = [
        slot
        for kind in ("cos", "sin")
        for slot in t.apply("product", [abs, *t.apply(kind, [angle])])
    ]
    return t.apply("as_complex", t.apply("stack", parts, dim=-1))


@rule("complex")
def _complex(t: Trace, real: Tensor, imag: Tensor) -> Slots:
    return t.apply("as_complex", t.apply("stack", [real, imag], dim=-1))


@rule("view_as_complex")
def _as_complex(t: Trace, self: Tensor) -> Slots:
    return t.apply("as_complex", [self])


@rule("view_as_real")
def _as_real(t: Trace, self: Tensor) -> Slots:
    return t.apply("as_real", [self])


@rule("isin.Tensor_Tensor")
def _is_in(
    t: Trace,
    elements: Tensor,
    test_elements: Tensor,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Slots:
    """Each element is compared with each that is looked for."""
    (each,) = t.apply("unsqueeze", [elements], dim=elements.dim())
    (tests,) = t.apply("view", [test_elements], shape=(-1,))
    slots = t.apply("equal", [each, tests])
    slots = t.apply("reduce_any", slots, dims=(-1,))
    return t.apply("not", slots) if invert else slots
