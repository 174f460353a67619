"""Functions of single elements and of pairs of them, reductions, softmax."""

from __future__ import annotations

from typing import Final

from archcost.ir import FLOATS, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.moving import axes_of, axis_of
from archcost.sources.onnx.tensors import dtype_of

PLAIN: Final = {
    "Relu": "relu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Abs": "abs",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Neg": "negative",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Asin": "asin",
    "Acos": "acos",
    "Atan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Asinh": "asinh",
    "Acosh": "acosh",
    "Atanh": "atanh",
    "Erf": "erf",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Sign": "sign",
    "Not": "not",
    "IsNaN": "is_nan",
    "IsInf": "is_inf",
}
"""Functions without arguments that would change their cost."""


@translates(*PLAIN)
def plain(call: Call) -> Result:
    return call.add(PLAIN[call.op_type], call.value(0))


@translates("BitwiseNot")
def bitwise_not(call: Call) -> Result:
    return call.add("xor", call.value(0), scalar=-1)


@translates("LeakyRelu", "Elu", "Celu")
def sloped(call: Call) -> Result:
    kinds = {"LeakyRelu": ("leaky_relu", 0.01), "Elu": ("elu", 1.0), "Celu": ("celu", 1.0)}
    kind, default = kinds[call.op_type]
    return call.add(kind, call.value(0), slope=call.real("alpha", default))


@translates("HardSigmoid")
def hard_sigmoid(call: Call) -> Result:
    alpha, beta = call.real("alpha", 0.2), call.real("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-4 and beta == 0.5:
        return call.add("hard_sigmoid", call.value(0))
    y = call.add("rescale", call.value(0), scale=alpha, shift=beta, part="scaled")
    return call.add("clamp", y, low=0, high=1)


@translates("Gelu")
def gelu(call: Call) -> Result:
    tanh = call.text("approximate", "none") == "tanh"
    return call.add("gelu_tanh" if tanh else "gelu", call.value(0))


@translates("Swish")
def swish(call: Call) -> Result:
    if call.real("alpha", 1.0) != 1:
        raise Unfit("its alpha is not 1")
    return call.add("silu", call.value(0))


@translates("PRelu")
def prelu(call: Call) -> Result:
    slope, rank = call.shape(1), len(call.shape(0))
    shared = call.type_of(1).numel == 1
    weight = call.weight(1, (call.type_of(1).numel,))
    per_channel = len(slope) == rank - 1 and all(size == 1 for size in slope[1:])
    if weight is None or not (shared or per_channel):
        x = call.value(0)
        negative = call.add("less", x, scalar=0, part="negative")
        sloped = call.add("product", x, call.value(1), part="sloped")
        return call.add("where", negative, sloped, x)
    return call.add("prelu", call.value(0), shared=shared, share={"weight": weight})


@translates("Clip")
def clip(call: Call) -> Result:
    if call.version < 11:
        low = call.real("min", 0.0) if call.has("min") else None
        high = call.real("max", 0.0) if call.has("max") else None
    else:
        low, high = (call.scalar(at) if call.given(at) else None for at in (1, 2))
        if any(call.given(at) and call.scalar(at) is None for at in (1, 2)):
            x = call.value(0)
            if call.given(1):
                x = call.add("maximum", x, call.value(1), part="low")
            return call.add("minimum", x, call.value(2), part="high") if call.given(2) else x
    if low is None and high is None:
        return call.item(0)
    if (low, high) == (0, 6) and call.type_of(0).dtype in FLOATS:
        return call.add("relu6", call.value(0))
    return call.add("clamp", call.value(0), low=low, high=high)


@translates("Cast", "CastLike")
def cast(call: Call) -> Result:
    if call.op_type == "CastLike":
        dtype = call.type_of(1).dtype
    else:
        dtype = dtype_of(call.integer("to"), call.place)
    return (
        call.item(0)
        if dtype == call.type_of(0).dtype
        else call.add("cast", call.value(0), dtype=dtype)
    )


# --- pairs --------------------------------------------------------------------------------------


def number_beside(call: Call) -> tuple[int, int | float] | None:
    """(place of the tensor, number beside it) where one of two inputs is one known number."""
    for place in (0, 1):
        number = call.scalar(1 - place)
        if number is None or len(call.shape(1 - place)) > len(call.shape(place)):
            continue
        if call.known(place) is None or call.scalar(place) is None:
            return place, number
    return None


def both(call: Call, kind: str) -> Value:
    return call.add(kind, call.value(0), call.value(1))


@translates("Add")
def add(call: Call) -> Result:
    if (found := number_beside(call)) is None:
        return both(call, "sum")
    place, number = found
    if call.type_of(place).dtype in FLOATS:
        return call.add("rescale", call.value(place), shift=number)
    return call.add("difference", call.value(place), scalar=-number)


@translates("Sub")
def subtract(call: Call) -> Result:
    if (found := number_beside(call)) is None:
        return both(call, "difference")
    place, number = found
    if call.type_of(place).dtype not in FLOATS:
        return call.add("difference", call.value(place), scalar=number, reverse=place == 1)
    scale, shift = (1, -number) if place == 0 else (-1, number)
    return call.add("rescale", call.value(place), scale=scale, shift=shift)


@translates("Mul")
def multiply(call: Call) -> Result:
    found = number_beside(call)
    if found is None or call.type_of(found[0]).dtype not in FLOATS:
        return both(call, "product")
    place, number = found
    return call.add("rescale", call.value(place), scale=number)


@translates("Div")
def divide(call: Call) -> Result:
    kind = "quotient" if call.type_of(0).dtype in FLOATS else "floor_quotient"
    return paired(call, kind)


@translates("Pow")
def power(call: Call) -> Result:
    return like_the_first(call, paired(call, "power"))


def like_the_first(call: Call, y: Value) -> Value:
    """``y`` in the type of the first input."""
    dtype = call.type_of(0).dtype
    return y if y.type.dtype == dtype else call.add("cast", y, dtype=dtype, part="cast")


PAIRS: Final = {
    "Mod": "remainder",
    "Equal": "equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "And": "and",
    "Or": "or",
    "Xor": "xor",
    "BitwiseAnd": "and",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
}


@translates(*PAIRS)
def pair(call: Call) -> Result:
    return paired(call, PAIRS[call.op_type])


def paired(call: Call, kind: str) -> Value:
    found = number_beside(call) if kind not in ("and", "or", "xor") else None
    if found is None:
        return both(call, kind)
    place, number = found
    return call.add(kind, call.value(place), scalar=number, reverse=place == 1)


@translates("Sum", "Mean", "Max", "Min")
def several(call: Call) -> Result:
    count = len(call.inputs)
    if count == 1:
        return call.item(0)
    if call.op_type in ("Max", "Min") and count == 2:
        found = number_beside(call)
        if found is not None:
            place, number = found
            low, high = (number, None) if call.op_type == "Max" else (None, number)
            return call.add("clamp", call.value(place), low=low, high=high)
    values = [call.value(at) for at in range(count)]
    if call.op_type == "Min":
        result = values[0]
        for number, value in enumerate(values[1:], 1):
            part = "" if number == count - 1 else str(number)
            result = call.add("minimum", result, value, part=part)
        return result
    kinds = {"Sum": "sum", "Mean": "mean", "Max": "maximum"}
    return call.add(kinds[call.op_type], *values)


@translates("Where")
def where(call: Call) -> Result:
    return call.add("where", *map(call.value, range(3)))


# --- reductions ---------------------------------------------------------------------------------

REDUCTIONS: Final = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceLogSumExp": "logsumexp",
    "ReduceLogSum": "sum",
    "ReduceSumSquare": "sum",
}


@translates(*REDUCTIONS)
def reduce(call: Call) -> Result:
    axes = axes_of(call, 1)
    if not axes and call.integer("noop_with_empty_axes", 0):
        return call.item(0)
    x = call.value(0)
    if call.op_type == "ReduceSumSquare":
        x = call.add("square", x, part="square")
    dims = tuple(axes) if axes else None
    keep = bool(call.integer("keepdims", 1))
    y = call.add(f"reduce_{REDUCTIONS[call.op_type]}", x, dims=dims, keep=keep)
    return call.add("log", y, part="log") if call.op_type == "ReduceLogSum" else y


@translates("ArgMax", "ArgMin")
def arg(call: Call) -> Result:
    dims = (axis_of(call, 0),)
    keep = bool(call.integer("keepdims", 1))
    return call.add(f"reduce_{call.op_type.lower()}", call.value(0), dims=dims, keep=keep)


@translates("CumSum", "CumProd")
def cumulative(call: Call) -> Result:
    (dim,) = call.numbers(1) or [0]
    return like_the_first(call, call.add(call.op_type.lower(), call.value(0), dim=dim))


@translates("Softmax", "LogSoftmax")
def softmax(call: Call) -> Result:
    """Along one axis since opset 13; before, over all dimensions from the axis on as one."""
    kind = "softmax" if call.op_type == "Softmax" else "log_softmax"
    x = call.value(0)
    if call.version >= 13:
        return call.add(kind, x, dim=axis_of(call, -1))
    axis = axis_of(call, 1)
    if axis >= len(x.shape) - 1:
        return call.add(kind, x, dim=len(x.shape) - 1)
    flat = call.add("flatten", x, start=axis, part="flat")
    y = call.add(kind, flat, dim=axis)
    return call.add("view", y, shape=(-1, *x.shape[1:]) if axis else x.shape, part="back")
